#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace tilth {
namespace {

TEST(Utf8, LeavesValidTextAlone) {
  for (const std::string text : {"", "plain", "Größe", "\xE2\x82\xAC", "\xF0\x9F\x8C\xB1 tilth", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(ValidUtf8(text), text);
  }
  EXPECT_EQ(ValidUtf8(std::string("a\0b", 3)), std::string("a\0b", 3));
}

TEST(Utf8, ReplacesEveryByteThatIsNotPartOfASequence) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(ValidUtf8("a\xFF z"), "a" + bad + " z");
  EXPECT_EQ(ValidUtf8("\x80\xBF"), bad + bad);
  EXPECT_EQ(ValidUtf8("Gr\xF6\xDF"
                      "e"),
            "Gr" + bad + bad + "e");
}

TEST(Utf8, KnowsOverlongFormsSurrogatesAndTruncation) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(ValidUtf8("\xC0\x80"), bad + bad);
  EXPECT_EQ(ValidUtf8("\xE0\x80\x80"), bad + bad + bad);
  EXPECT_EQ(ValidUtf8("\xED\xA0\x80"), bad + bad + bad);
  EXPECT_EQ(ValidUtf8("\xF4\x90\x80\x80"), bad + bad + bad + bad);
  EXPECT_EQ(ValidUtf8("\xE2\x82"), bad + bad);
}

}  // namespace
}  // namespace tilth
