// The tables of the tuning log, by version. Internal to db; docs/log-format.md explains them.
#pragma once

#include "db/schema.h"

namespace tilth {

const sqlite::Schema& TuningLogSchema();

}  // namespace tilth
