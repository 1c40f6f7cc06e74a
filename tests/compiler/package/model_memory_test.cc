// Arena and weights of model libraries, compiled for this machine.
#include "compiler/runtime/model_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <vector>

#include "compiler/runtime/kernel_abi.h"

namespace tilth {
namespace {

constexpr size_t kLarge = (5 << 20) + 12345;

TEST(ModelMemory, ArenasOfAnySizeAreAligned) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, size_t{2} << 20, kLarge}) {
    void* const arena = TilthAllocateArena(bytes);
    ASSERT_NE(arena, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(arena) % TILTH_BUFFER_ALIGNMENT, 0u);
    std::fill_n(static_cast<char*>(arena), bytes, '\1');
    free(arena);
  }
}

// A private mapping of a file, as the loader makes one of a library's weights.
class MappedFile {
 public:
  explicit MappedFile(const std::vector<char>& bytes) : size_(bytes.size()) {
    FILE* const file = tmpfile();
    EXPECT_EQ(fwrite(bytes.data(), 1, size_, file), size_);
    fflush(file);
    data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    EXPECT_NE(data_, MAP_FAILED);
    fclose(file);
  }
  ~MappedFile() { munmap(data_, size_); }
  const char* data() const { return static_cast<const char*>(data_); }

 private:
  size_t size_;
  void* data_;
};

TEST(ModelMemory, AllUsersShareTheSameWeights) {
  std::vector<char> bytes(kLarge);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + (i >> 12));
  const MappedFile file(bytes);
  for (int round = 0; round < 2; ++round) {
    std::vector<const void*> seen(4);
    std::vector<std::thread> users;
    for (const void*& weights : seen) users.emplace_back([&] { weights = TilthAcquireWeights(file.data(), kLarge); });
    for (std::thread& user : users) user.join();
    for (const void* weights : seen) {
      EXPECT_EQ(weights, seen[0]);
      EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), static_cast<const char*>(weights)));
      TilthReleaseWeights();
    }
    // What the copy was made from is as it was.
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), file.data()));
  }
}

TEST(ModelMemory, SmallWeightsStayWhereTheyAre) {
  const std::vector<char> bytes(1000, 'w');
  EXPECT_EQ(TilthAcquireWeights(bytes.data(), bytes.size()), bytes.data());
  TilthReleaseWeights();
}

}  // namespace
}  // namespace tilth
