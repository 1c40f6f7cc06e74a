// Adding up where the time goes.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace tilth {

// While it lives, its time is added to a sum.
class TimeInto {
 public:
  explicit TimeInto(double* sum_s) : sum_s_(sum_s), begun_ns_(SystemClock().NowNs()) {}
  ~TimeInto() { *sum_s_ += 1e-9 * static_cast<double>(SystemClock().NowNs() - begun_ns_); }
  TimeInto(const TimeInto&) = delete;
  TimeInto& operator=(const TimeInto&) = delete;

 private:
  double* const sum_s_;
  const int64_t begun_ns_;
};

// What a replay must begin with, too.
std::string HashOf(const std::shared_ptr<const PretrainedModel>& model) {
  return model == nullptr ? std::string("none") : model->hash();
}

}  // namespace tilth
