// What the tracker takes from a client or an agent: sizes of everything that it would keep or pass on. Whatever is
// larger is refused with INVALID_ARGUMENT, naming the field, or clamped where a value is only absurd.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"
#include "proto/farm.pb.h"

namespace tilth {

inline constexpr int kMaxTrialsPerSubmit = 10'000;
inline constexpr size_t kMaxResultBytes = size_t{1} << 20;

Status CheckOpenSession(const proto::OpenSessionRequest& request);
// Of one trial: its id, hashes and lists.
Status CheckTrial(const proto::Trial& trial);
Status CheckHello(const proto::AgentHello& hello);
// May be empty.
Status CheckUser(std::string_view user);

// Deadlines are never negative nor longer than a day.
void ClampDeadlines(proto::Trial* trial);
// A result that is larger than kMaxResultBytes loses its samples, and most of its text.
void TrimResult(proto::MeasureResult* result);

}  // namespace tilth
