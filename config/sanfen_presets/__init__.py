"""Platform rules as data: one YAML file each, named platform-and-date."""
