// Requests, samples and answers of a kernel peer.
#include "bench/peers/peer_loop.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <cstdlib>
#include <iostream>

#include "base/rng.h"
#include "nlohmann/json.hpp"

namespace tilth::bench {
namespace {

using nlohmann::json;

constexpr double kShortestSampleNs = 100e3;
constexpr double kWarmUpNs = 5e6;

// CPU time of this thread, the only one: what others do on the core meanwhile does not count.
double CpuTimeNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double TimeNs(const Kernel& kernel, int64_t executions) {
  const double begin = CpuTimeNs();
  for (int64_t i = 0; i < executions; ++i) kernel();
  return CpuTimeNs() - begin;
}

Shape ShapeFromJson(const json& request) {
  Shape shape;
  shape.kind = request.value("kind", "");
  shape.weights = request.value("weights", true);
  shape.transposed = request.value("transposed", false);
  const std::pair<const char*, int64_t*> members[] = {
      {"b", &shape.b},           {"m", &shape.m},     {"k", &shape.k},          {"n", &shape.n},   {"h", &shape.h},
      {"w", &shape.w},           {"c", &shape.c},     {"o", &shape.o},          {"kh", &shape.kh}, {"kw", &shape.kw},
      {"stride", &shape.stride}, {"pad", &shape.pad}, {"groups", &shape.groups}};
  for (const auto& [name, value] : members) *value = request.value(name, *value);
  return shape;
}

// A kernel with how often it must run for a sample that the clock resolves well.
class TimedKernel {
 public:
  explicit TimedKernel(Kernel kernel) : kernel_(std::move(kernel)) {
    double elapsed = 0;
    int64_t executions = 0;
    for (; elapsed < kWarmUpNs; ++executions) elapsed += TimeNs(kernel_, 1);
    per_sample_ =
        std::max<int64_t>(1, static_cast<int64_t>(kShortestSampleNs * static_cast<double>(executions) / elapsed));
  }

  std::vector<double> Samples(int64_t count) const {
    std::vector<double> samples;
    TimeNs(kernel_, 1);  // caches belong to another process by now
    for (int64_t i = 0; i < count; ++i) {
      samples.push_back(TimeNs(kernel_, per_sample_) / static_cast<double>(per_sample_));
    }
    return samples;
  }

 private:
  Kernel kernel_;
  int64_t per_sample_ = 1;
};

}  // namespace

std::vector<float> RandomFloats(int64_t count) {
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = CounterUniform(/*seed=*/1, i);
  return values;
}

int ServePeer(const std::string& peer_name, const PrepareFunction& prepare) {
  std::unique_ptr<TimedKernel> kernel;
  for (std::string line; std::getline(std::cin, line);) {
    json answer;
    if (line.starts_with("run ") && kernel != nullptr) {
      answer = kernel->Samples(std::atoll(line.c_str() + 4));
    } else if (const json request = json::parse(line, nullptr, false); request.is_object()) {
      kernel.reset();
      StatusOr<Kernel> prepared = prepare(ShapeFromJson(request));
      answer = {{"ready", prepared.ok()}, {"peer", peer_name}};
      if (prepared.ok()) {
        kernel = std::make_unique<TimedKernel>(*std::move(prepared));
      } else {
        answer["reason"] = std::string(prepared.status().message());
      }
    } else {
      answer = {{"ready", false}, {"peer", peer_name}, {"reason", "neither a shape nor a run of a prepared one"}};
    }
    std::cout << answer.dump() << std::endl;
  }
  return 0;
}

void RestartWithOneThread(char** argv) {
  bool changed = false;
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && std::string_view(value) == "1") continue;
    setenv(name, "1", /*overwrite=*/1);
    changed = true;
  }
  if (changed) execv("/proc/self/exe", argv);
}

}  // namespace tilth::bench
