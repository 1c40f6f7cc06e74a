// Translation between what the tuner knows of a trial and rows of the tuning log.
#pragma once

#include <string>

#include "db/tuning_log.h"
#include "proto/measure.h"

namespace tilth {

// kNone for a status that is no failure.
MeasureErrorKind ErrorOf(const TuningRecord& record);

// What the farm had said, as far as the log keeps it.
MeasureResult ResultOf(const TuningRecord& record);

LoggedDevice ToLogged(const Device& device);
Device FromLogged(const LoggedDevice& device);

// The number at `key` of a JSON object; 0 if there is none.
double NumberIn(const std::string& json, const char* key);

}  // namespace tilth
