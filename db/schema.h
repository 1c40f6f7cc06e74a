// Versioned schemas: a file says what it is (application_id) and which version of the schema it has (user_version), and
// is brought up to date one step at a time. The tuning log and the tracker's queue both declare a Schema.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "db/sqlite.h"

namespace tilth::sqlite {

struct Schema {
  std::string_view what;       // for messages: "tuning log"
  int32_t application_id = 0;  // not 0; never changes
  // steps[i] is SQL that takes version i to version i + 1; an empty file is version 0. A released step never changes.
  std::vector<std::string_view> steps;

  int64_t version() const { return static_cast<int64_t>(steps.size()); }
};

// Checks that the file holds this schema at this version, and brings an older or empty one there; each step is one
// transaction, so a crash leaves a file of the step before. kFailedPrecondition: a newer version (nothing is touched);
// kInvalidArgument: an SQLite file of something else.
Status Migrate(Database& database, const Schema& schema);

// The same check for a read-only connection; an older version is kFailedPrecondition, too.
Status CheckVersion(Database& database, const Schema& schema);

}  // namespace tilth::sqlite
