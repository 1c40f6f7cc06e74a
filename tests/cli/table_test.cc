// Layout in characters, and quantities for people.
#include "cli/table.h"

#include <gtest/gtest.h>

namespace tilth {
namespace {

TEST(Table, AlignsByCharacters) {
  Table table({{"kernel"}, {"time", Column::kNumber}});
  table.AddRow({"3×3", "1 ms"});
  table.AddRow({"pool", "12 ms"});
  EXPECT_EQ(table.Render(80),
            "kernel   time\n"
            "3×3      1 ms\n"
            "pool    12 ms\n");
}

TEST(Table, CutsFlexibleColumnsToTheWidth) {
  Table table({{"hash"}, {"kernel", Column::kFlexible}});
  table.AddRow({"12345678", "a very long name of a kernel"});
  EXPECT_EQ(table.Render(30),
            "hash      kernel\n"
            "12345678  a very long name of…\n");
}

TEST(Format, DurationsChooseTheirUnit) {
  EXPECT_EQ(FormatDuration(812), "812 ns");
  EXPECT_EQ(FormatDuration(3421), "3.42 us");
  EXPECT_EQ(FormatDuration(1.2e6), "1.20 ms");
  EXPECT_EQ(FormatDuration(4.07e9), "4.07 s");
  EXPECT_EQ(FormatDuration(192e9), "3m12s");
  EXPECT_EQ(FormatDuration(7260e9), "2h01m");
}

TEST(Format, CountsAndBytes) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(-1000), "-1,000");
  EXPECT_EQ(FormatBytes(812), "812 B");
  EXPECT_EQ(FormatBytes(3 * 1024 * 1024 / 2), "1.5 MiB");
  EXPECT_EQ(FormatGflops(2e9, 1e7), "200.0");
  EXPECT_EQ(FormatGflops(0, 1e7), "-");
}

}  // namespace
}  // namespace tilth
