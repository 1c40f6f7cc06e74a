// Addresses and names as people mistype them.
#include "proto/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/names.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

TEST(AddressTest, HostsNumbersAndBracketedIpv6WithAPortAreAddresses) {
  for (const char* address :
       {"lab:9190", "lab.example.org:1", "127.0.0.1:65535", "[::1]:9190", "[fe80::1%eth0]:9190"}) {
    EXPECT_EQ(CheckTrackerAddress(address), "") << address;
  }
}

TEST(AddressTest, AMissingPortIsNamedWithTheAddressAsItShouldBe) {
  EXPECT_EQ(CheckTrackerAddress("lab"), "'lab' has no port; give HOST:PORT, as in lab:9190");
  EXPECT_THAT(CheckTrackerAddress("[::1]"), HasSubstr("as in [::1]:9190"));
}

TEST(AddressTest, WhatElseIsWrongIsSaid) {
  EXPECT_THAT(CheckTrackerAddress(""), HasSubstr("empty"));
  EXPECT_THAT(CheckTrackerAddress("::1:9190"), HasSubstr("goes into brackets"));
  EXPECT_THAT(CheckTrackerAddress("http://lab:9190"), HasSubstr("leave 'http://' out"));
  EXPECT_THAT(CheckTrackerAddress(":9190"), HasSubstr("no host"));
  EXPECT_THAT(CheckTrackerAddress("my lab:9190"), HasSubstr("'my lab' is no host"));
  EXPECT_THAT(CheckTrackerAddress("lab\xff:9190"), HasSubstr("'lab\\xff' is no host"));
  for (const char* port : {"lab:", "lab:http", "lab:65536", "lab:-1", "lab:0", "lab:91 90", "lab: 9190", "lab:+9"}) {
    EXPECT_THAT(CheckTrackerAddress(port), HasSubstr("is no port")) << port;
  }
}

TEST(AddressTest, PortZeroIsForListeningOnly) {
  EXPECT_EQ(CheckListenAddress("127.0.0.1:0"), "");
  EXPECT_NE(CheckTrackerAddress("127.0.0.1:0"), "");
}

TEST(AddressTest, AHostAloneHasNoPortAndNoBrackets) {
  for (const char* host : {"lab", "10.0.0.1", "::1", "fe80::1%eth0"}) EXPECT_EQ(CheckHostArgument(host), "") << host;
  EXPECT_THAT(CheckHostArgument("lab:9190"), HasSubstr("give the host alone"));
  EXPECT_THAT(CheckHostArgument("a b"), HasSubstr("no host name"));
  EXPECT_NE(CheckHostArgument(""), "");
}

TEST(NamesTest, NamesAreTextOfBoundedLength) {
  EXPECT_EQ(NameFault("Böhm's Raspberry 4"), "");
  EXPECT_EQ(NameFault(""), "");
  EXPECT_THAT(NameFault("a\xff"), HasSubstr("'a\\xff' is not valid UTF-8"));
  EXPECT_THAT(NameFault("a\x07"), HasSubstr("control characters"));
  EXPECT_THAT(NameFault(std::string(129, 'a')), HasSubstr("129 bytes, at most 128"));
  EXPECT_NE(CheckNameArgument(""), "");
}

TEST(NamesTest, PlainNamesNeedNoQuotes) {
  EXPECT_EQ(CheckPlainNameArgument("anna@lab-2.x+y_z"), "");
  for (const char* name : {"", "-a", "a b", "a\xff", "a/b"}) EXPECT_NE(CheckPlainNameArgument(name), "") << name;
}

}  // namespace
}  // namespace tilth
