// Turns SQLite's result codes into statuses that name the file and the remedy. Internal to db.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

struct sqlite3;

namespace tilth::sqlite {

// `code` is what a call on `connection` returned; not SQLITE_OK, ROW or DONE. The path is asked of the connection.
Status ErrorFromCode(sqlite3* connection, int code, std::string_view doing);

// The same for a connection that may not have opened and so cannot tell its path.
Status ErrorForPath(const std::string& path, sqlite3* connection, int code, std::string_view doing);

}  // namespace tilth::sqlite
