// Damaged files and exports, by seeded random changes: an error or a sound log, never an abort.
#include <gtest/gtest.h>

#include <sstream>

#include "base/files.h"
#include "base/rng.h"
#include "tests/db/log_fixture.h"

namespace tilth {
namespace {

constexpr int kChangedFiles = 100;

std::string Damaged(std::string bytes, uint64_t seed) {
  Rng rng(seed);
  const uint64_t changes = 1 + rng.Below(8);
  for (uint64_t i = 0; i < changes && !bytes.empty(); ++i) {
    switch (rng.Below(3)) {
      case 0:
        bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Below(256));
        break;
      case 1:
        bytes.resize(rng.Below(bytes.size()));
        break;
      default:
        bytes.insert(rng.Below(bytes.size()), bytes.substr(rng.Below(bytes.size()), rng.Below(64)));
    }
  }
  return bytes;
}

class BadBytesTest : public LogFixture {
 protected:
  void Fill() {
    auto log = OpenFilledLog();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(log->Append(Record(StrCat("t", i), 100 + i)).ok());
    ASSERT_TRUE(log->Gc({}).ok());
  }
};

TEST_F(BadBytesTest, DamagedFileIsAnErrorOrReadable) {
  Fill();
  const auto bytes = ReadFile(Path());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  for (int seed = 0; seed < kChangedFiles; ++seed) {
    const std::string path = Path(StrCat("damaged", seed, ".db"));
    ASSERT_TRUE(WriteFile(path, Damaged(*bytes, seed)).ok());
    auto log = TuningLog::Open(path, {.mode = TuningLog::Mode::kReadOnly});
    if (!log.ok()) {
      EXPECT_NE(log.status().code(), absl::StatusCode::kInternal) << log.status();
      continue;
    }
    (*log)->Verify().IgnoreError();
    (*log)->BestRecords(workload_.hash, target_.hash, 3).IgnoreError();
    (*log)->ForEachRecord({}, [](const TuningRecord&) { return absl::OkStatus(); }).IgnoreError();
  }
}

TEST_F(BadBytesTest, DamagedExportIsAnErrorOrASoundLog) {
  Fill();
  std::ostringstream out;
  ASSERT_TRUE(OpenLog()->Export(out).ok());
  auto log = OpenLog("import.db");
  for (int seed = 0; seed < kChangedFiles; ++seed) {
    std::istringstream in(Damaged(out.str(), seed));
    log->Import(in).IgnoreError();
  }
  const auto problems = log->Verify();
  ASSERT_TRUE(problems.ok()) << problems.status();
  EXPECT_TRUE(problems->empty()) << problems->front();
}

}  // namespace
}  // namespace tilth
