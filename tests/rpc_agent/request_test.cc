#include "rpc_agent/runner/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tilth::runner {
namespace {

using ::testing::ElementsAre;

TEST(RequestTest, RequestReadsBack) {
  KernelRequest request;
  request.artifact_path = "/a b/\"c\".so";
  request.expected_path = "/e";
  request.seed = ~uint64_t{0};
  request.tolerances = {{.rtol = 1e-3, .atol = 0.1}, {}};
  request.value_bounds = {0, int64_t{1} << 40};
  request.core = 3;
  request.loop.best_so_far_ns = 12345;
  const auto parsed = ParseRequest(FormatRequest(request));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->artifact_path, request.artifact_path);
  EXPECT_EQ(parsed->seed, request.seed);
  EXPECT_EQ(parsed->tolerances[0].rtol, 1e-3);
  EXPECT_EQ(parsed->tolerances.size(), 2u);
  EXPECT_THAT(parsed->value_bounds, ElementsAre(0, int64_t{1} << 40));
  EXPECT_EQ(parsed->loop.best_so_far_ns, 12345);
}

TEST(RequestTest, ReplyWithBytesThatAreNoTextReadsBack) {
  KernelReply reply;
  reply.error = "run crash";
  reply.detail = "printed \xff\n";
  reply.times.samples_ns = {1.5, 2.25};
  const std::string text = FormatReply(reply);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto parsed = ParseReply(text);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_THAT(parsed->times.samples_ns, ElementsAre(1.5, 2.25));
}

TEST(RequestTest, GarbageIsNothing) {
  EXPECT_FALSE(ParseReply("").has_value());
  EXPECT_FALSE(ParseReply("{\"error\":").has_value());
  EXPECT_FALSE(ParseReply("{\"error\":1}").has_value());
  EXPECT_FALSE(ParseRequest("[]").has_value());
  EXPECT_FALSE(ParsePeak("{}").has_value());
}

}  // namespace
}  // namespace tilth::runner
