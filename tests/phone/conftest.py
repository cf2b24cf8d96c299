from tests.phone.fixtures import adb_server, phone

__all__ = ["adb_server", "phone"]
