"""The API under /api/v1: one table of endpoints, from which come its addresses, the checks of what is asked, its
description (OpenAPI) and its page of documents.
"""
