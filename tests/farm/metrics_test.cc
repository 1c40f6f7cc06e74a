// Metrics as Prometheus reads them: over HTTP, in its text format.
#include "farm/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <sstream>
#include <vector>

#include "proto/measure.pb.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

std::string Scrape(int port) {
  boost::asio::ip::tcp::iostream connection("127.0.0.1", std::to_string(port));
  connection.expires_after(std::chrono::seconds(60));
  connection << "GET /metrics HTTP/1.0\r\n\r\n" << std::flush;
  std::ostringstream text;
  text << connection.rdbuf();
  return text.str();
}

class MetricsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto metrics = FarmMetrics::Serve("127.0.0.1:0");
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    metrics_ = std::move(*metrics);
  }
  std::string Scrape() const { return tilth::Scrape(metrics_->port()); }

  std::unique_ptr<FarmMetrics> metrics_;
};

TEST_F(MetricsTest, CountersAddUpByTheirLabels) {
  metrics_->OnSubmitted("rpi4", 3, 1000);
  metrics_->OnSubmitted("rpi4", 2, 0);
  metrics_->OnGranted("rpi4", 5, 700);
  proto::MeasureResult good, crash, lost;
  crash.set_error(proto::MEASURE_ERROR_RUN_CRASH);
  lost.set_status_code(10);
  for (const auto& result : {good, good, crash, lost}) metrics_->OnFinished("rpi4", result);
  metrics_->OnLeaseLost("x86", "agent lost");
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("200 OK"));
  EXPECT_THAT(text, HasSubstr("tilth_trials_submitted_total{class=\"rpi4\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("tilth_trials_finished_total{class=\"rpi4\",outcome=\"ok\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tilth_trials_finished_total{class=\"rpi4\",outcome=\"run crash\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tilth_trials_finished_total{class=\"rpi4\",outcome=\"not carried out\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tilth_leases_lost_total{class=\"x86\",reason=\"agent lost\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tilth_blob_bytes_total{direction=\"received\"} 1000\n"));
  EXPECT_THAT(text, HasSubstr("tilth_blob_bytes_total{direction=\"sent\"} 700\n"));
}

TEST_F(MetricsTest, TimesFallIntoBuckets) {
  metrics_->OnGranted("rpi4", 2, 0);
  metrics_->OnGranted("rpi4", 2000, 0);
  metrics_->OnApplied(20, 500'000);
  metrics_->OnStored(2'000'000);
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("tilth_dispatch_seconds_bucket{class=\"rpi4\",le=\"0.001\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tilth_dispatch_seconds_bucket{class=\"rpi4\",le=\"0.003\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tilth_dispatch_seconds_bucket{class=\"rpi4\",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tilth_batch_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("tilth_store_seconds_sum 0.002\n"));
  EXPECT_THAT(text, HasSubstr("tilth_batch_events_bucket{le=\"32\"} 1\n"));
}

TEST_F(MetricsTest, GaugesShowTheLastStateOnly) {
  metrics_->OnGauges({.queued = {{{"rpi4", "ada"}, 7}}, .devices = {{{"rpi4", "idle"}, 2}}, .sessions = 1});
  EXPECT_THAT(Scrape(), HasSubstr("tilth_queue_length{class=\"rpi4\",user=\"ada\"} 7\n"));
  metrics_->OnGauges({.devices = {{{"rpi4", "busy"}, 2}}});
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("tilth_queue_length{class=\"rpi4\",user=\"ada\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tilth_devices{class=\"rpi4\",state=\"idle\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tilth_devices{class=\"rpi4\",state=\"busy\"} 2\n"));
}

TEST_F(MetricsTest, AScrapeGetsThroughHundredsOfConnectionsThatSaySomethingIncompleteOrNothing) {
  constexpr int kConnections = 300;
  boost::asio::io_context context;
  std::vector<boost::asio::ip::tcp::socket> silent;
  const boost::asio::ip::tcp::endpoint server(boost::asio::ip::address_v4::loopback(),
                                              static_cast<unsigned short>(metrics_->port()));
  for (int i = 0; i < kConnections; ++i) {
    silent.emplace_back(context).connect(server);
    if (i % 2 == 0) silent.back().send(boost::asio::buffer("GET /metrics HTT", 16));
  }
  EXPECT_THAT(Scrape(), HasSubstr("tilth_build_info"));
}

TEST_F(MetricsTest, AddressesThatAreTakenOrPublicAreRefused) {
  const auto taken = FarmMetrics::Serve("127.0.0.1:" + std::to_string(metrics_->port()));
  EXPECT_EQ(taken.status().code(), absl::StatusCode::kUnavailable) << taken.status();
  const auto open = FarmMetrics::Serve("0.0.0.0:0");
  EXPECT_EQ(open.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(open.status().message()), HasSubstr("127.0.0.1:PORT"));
}

}  // namespace
}  // namespace tilth
