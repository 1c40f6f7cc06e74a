// Runs a fuzz target over a corpus, and over random mutations of it that are the same in every run: what a build
// without libFuzzer can check in seconds.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutationsPerFile = 100;

std::string Mutated(const std::vector<std::string>& corpus, size_t index, std::mt19937_64& random) {
  std::string bytes = corpus[index];
  const auto position = [&] { return bytes.empty() ? 0 : random() % bytes.size(); };
  for (uint64_t edits = 1 + random() % 4; edits > 0; --edits) {
    switch (random() % 4) {
      case 0:
        if (!bytes.empty()) bytes[position()] = static_cast<char>(random());
        break;
      case 1:
        bytes.resize(position());
        break;
      case 2:
        bytes.insert(position(), 1 + random() % 8, static_cast<char>(random()));
        break;
      case 3: {
        const std::string& other = corpus[random() % corpus.size()];
        bytes = bytes.substr(0, position()) + other.substr(other.empty() ? 0 : random() % other.size());
        break;
      }
    }
  }
  return bytes;
}

void Run(const std::string& bytes) {
  // A copy of exactly this size: a sanitizer sees a read behind it.
  const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  std::vector<std::string> corpus;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "%s has no files\n", argv[1]);
    return 1;
  }
  std::mt19937_64 random(1);
  Run("");
  for (size_t i = 0; i < corpus.size(); ++i) {
    Run(corpus[i]);
    for (int j = 0; j < kMutationsPerFile; ++j) Run(Mutated(corpus, i, random));
  }
  std::printf("%zu files, %zu inputs\n", corpus.size(), 1 + corpus.size() * (1 + kMutationsPerFile));
}
