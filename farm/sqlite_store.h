// The Store in one SQLite file: what `tilth farm serve` keeps in its state directory.
#pragma once

#include <memory>

#include "base/files.h"
#include "farm/store.h"

namespace tilth {

// Opens or creates the file. With Durability::kProcessDeath, Commit does not wait for the disk. kFailedPrecondition
// for the schema of another version, which is named with ours.
StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path,
                                                 Durability durability = Durability::kPowerCut);

}  // namespace tilth
