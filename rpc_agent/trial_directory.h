// The directory of one trial: holds its artifact and nothing else, is all that the candidate sees of the file system,
// and goes with the trial.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tilth {

class TrialDirectory {
 public:
  // `path`: made anew; what a killed agent left there is removed.
  static StatusOr<TrialDirectory> Create(const std::string& path);
  TrialDirectory(TrialDirectory&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TrialDirectory& operator=(TrialDirectory&&) = delete;
  ~TrialDirectory();

  // The artifact, readable for a runner that has no privileges; its path.
  StatusOr<std::string> WriteArtifact(std::string_view bytes) const;
  // The same from a file of ours, without a copy where the file system can.
  StatusOr<std::string> LinkArtifact(const std::string& file) const;

 private:
  explicit TrialDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace tilth
