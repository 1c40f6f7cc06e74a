// Whether a row makes sense by itself; asked before it is written and by `tilth log verify`. Internal to db.
// kInvalidArgument names the row and what is wrong with it.
#pragma once

#include "base/status.h"
#include "db/tuning_log.h"

namespace tilth {

Status CheckRow(const LoggedWorkload& workload);
Status CheckRow(const LoggedTarget& target);
Status CheckRow(const LoggedDevice& device);
Status CheckRow(const LoggedSession& session);
Status CheckRow(const TuningRecord& record);

}  // namespace tilth
