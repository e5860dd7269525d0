"""What Python, the system and YAML's reader say, where one of our sentences quotes them."""

__all__ = ["OUTSIDE"]

OUTSIDE: dict[str, str] = {
    # the system
    "No such file or directory": "没有这个文件或目录",
    "Permission denied": "没有权限",
    "Is a directory": "这是一个目录",
    "Not a directory": "路径中有一段不是目录",
    "File exists": "文件已存在",
    "File name too long": "文件名太长",
    "No space left on device": "磁盘已满",
    "Read-only file system": "文件系统只读",
    "Input/output error": "读写出错",
    "Address already in use": "地址已被占用",
    "Cannot assign requested address": "本机没有这个地址",
    "Connection refused": "连接被拒绝",
    "Connection reset by peer": "连接被对方断开",
    "Name or service not known": "域名解析不到",
    "No address associated with hostname": "域名没有对应的地址",
    "Temporary failure in name resolution": "域名暂时解析不了",
    "Network is unreachable": "网络不通",
    "No route to host": "到不了这台主机",
    "timed out": "超时",
    # SQLite
    "file is not a database": "文件不是数据库",
    "database disk image is malformed": "数据库内容已损坏",
    "malformed text": "文字已损坏",
    "malformed schema": "结构定义已损坏",
    "attempt to write a readonly database": "数据库只读",
    "unable to open database file": "打不开数据库文件",
    "database is locked": "数据库被锁住",
    "disk I/O error": "磁盘读写出错",
    # json
    "Expecting value": "此处应有一个值",
    "Expecting property name enclosed in double quotes": "键要用双引号括起来",
    "Expecting ',' delimiter": "缺少逗号",
    "Expecting ':' delimiter": "缺少冒号",
    "Extra data": "后面还有多余的内容",
    "Illegal trailing comma before end of object": "对象末尾多了逗号",
    "Illegal trailing comma before end of array": "数组末尾多了逗号",
    "Invalid control character at": "文字里有控制字符",
    "Unterminated string starting at": "文字没有结束的引号",
    # PyYAML
    "mapping values are not allowed here": "这里不能写“键: 值”（缩进不对，或文字里的冒号要加引号）",
    "could not find expected ':'": "缺少冒号",
    "found character '\\t' that cannot start any token": "不能用制表符缩进，请用空格",
    "found unexpected end of stream": "文件意外结束（引号没有配对？）",
    "while scanning a quoted scalar": "引号没有配对",
    "expected the node content, but found ','": "此处应有一个值，却是逗号",
    "expected ',' or '}', but got '<scalar>'": "应为 , 或 }",
    "expected ',' or ']', but got '<scalar>'": "应为 , 或 ]",
    "expected <block end>, but found '<block mapping start>'": "缩进不一致",
    "expected <block end>, but found '<scalar>'": "缩进不一致，或上一行没有写完",
    "expected <block end>, but found '-'": "缩进不一致：这里的“-”与上面对不齐",
    "but found another document": "只能有一个文档",
}
"""By their English; not every one there is, but those one meets."""
