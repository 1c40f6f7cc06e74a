#include "tuner/space_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/statistics.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

constexpr size_t kMostDetail = 2000;
constexpr size_t kMostOutput = size_t{1} << 20;

double SecondsSince(int64_t begun_ns) { return 1e-9 * static_cast<double>(SystemClock().NowNs() - begun_ns); }

void Summarise(SpaceResult* result) {
  const std::vector<double>& samples = result->samples_ns;
  result->median_ns = Quantile(samples, 0.5);
  result->spread = (Quantile(samples, 0.75) - Quantile(samples, 0.25)) / result->median_ns;
}

std::string Detail(const SubprocessOutput& output) {
  std::string text = output.exit.Describe();
  const std::string& errors = output.stderr_text;
  if (!errors.empty()) StrAppend(&text, ": ", errors.substr(errors.size() - std::min(errors.size(), kMostDetail)));
  return text;
}

}  // namespace

double PrintedNs(std::string_view output) {
  double found = 0;
  for (absl::string_view line : absl::StrSplit(absl::string_view(output.data(), output.size()), '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::ConsumePrefix(&line, "time")) {
      line = absl::StripAsciiWhitespace(line);
      if (!absl::ConsumePrefix(&line, ":") && !absl::ConsumePrefix(&line, "=")) continue;
      line = absl::StripAsciiWhitespace(line);
    }
    double scale = 0;
    for (const auto& [unit, ns] : {std::pair{"ns", 1.0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}) {
      if (!absl::ConsumeSuffix(&line, unit)) continue;
      scale = ns;
      break;
    }
    double number;
    if (scale == 0 || !absl::SimpleAtod(line, &number)) continue;
    if (number > 0 && std::isfinite(number * scale)) found = number * scale;
  }
  return found;
}

StatusOr<SpaceRunner> SpaceRunner::Create(const SpaceDocument& document) {
  TILTH_ASSIGN_OR_RETURN(TempDir directory, TempDir::Create("tilth-space"));
  return SpaceRunner(document, std::move(directory));
}

std::string SpaceRunner::WithValues(const std::string& argument, const Candidate& candidate) const {
  std::string text = argument;
  const std::vector<Parameter>& parameters = document_.space->parameters();
  for (size_t i = 0; i < parameters.size(); ++i)
    absl::StrReplaceAll({{StrCat("{", parameters[i].name, "}"), document_.space->Value(candidate, i)}}, &text);
  return text;
}

StatusOr<SpaceResult> SpaceRunner::Measure(const Candidate& candidate) {
  SpaceResult result;
  std::vector<std::string> arguments;
  if (document_.source.empty()) {
    for (const std::string& argument : document_.command) arguments.push_back(WithValues(argument, candidate));
  } else {
    TILTH_ASSIGN_OR_RETURN(const bool compiled, Compile(candidate, &result));
    if (!compiled) return result;
    arguments = {directory_.File("program")};
  }
  for (int run = 0; run < document_.repeats; ++run) {
    TILTH_ASSIGN_OR_RETURN(const bool ran, RunOnce(arguments, &result));
    if (!ran) {
      result.samples_ns.clear();
      return result;
    }
  }
  Summarise(&result);
  return result;
}

// False: it does not compile, which `result` then says.
StatusOr<bool> SpaceRunner::Compile(const Candidate& candidate, SpaceResult* result) {
  SubprocessOptions options;
  options.argv = document_.compiler;
  const std::vector<Parameter>& parameters = document_.space->parameters();
  for (size_t i = 0; i < parameters.size(); ++i)
    options.argv.push_back(StrCat("-D", parameters[i].name, "=", document_.space->Value(candidate, i)));
  for (const std::string& argument :
       {document_.source, std::string("-o"), directory_.File("program"), std::string("-lm")})
    options.argv.push_back(argument);
  options.working_directory = document_.directory;
  options.stdout_to = ChildStream::kDiscard;
  options.stderr_to = ChildStream::kCapture;
  const int64_t begun_ns = SystemClock().NowNs();
  TILTH_ASSIGN_OR_RETURN(const SubprocessOutput output,
                         RunSubprocess(options, "", static_cast<int64_t>(1000 * document_.timeout_s), kMostOutput),
                         "compiling ", document_.source);
  result->build_s = SecondsSince(begun_ns);
  if (output.exit.Success()) return true;
  result->error = MeasureErrorKind::kCompile;
  result->detail = Detail(output);
  return false;
}

// False: it failed, which `result` then says.
StatusOr<bool> SpaceRunner::RunOnce(const std::vector<std::string>& arguments, SpaceResult* result) {
  SubprocessOptions options;
  options.argv = arguments;
  options.working_directory = document_.directory;
  options.stdout_to = ChildStream::kCapture;
  options.stderr_to = ChildStream::kCapture;
  const int64_t begun_ns = SystemClock().NowNs();
  TILTH_ASSIGN_OR_RETURN(const SubprocessOutput output,
                         RunSubprocess(options, "", static_cast<int64_t>(1000 * document_.timeout_s), kMostOutput),
                         "running a point of the space");
  const double wall_s = SecondsSince(begun_ns);
  result->measure_s += wall_s;
  if (!output.exit.Success()) {
    result->error = output.exit.deadline_passed ? MeasureErrorKind::kRunTimeout : MeasureErrorKind::kRunCrash;
    result->detail = Detail(output);
    return false;
  }
  const double printed_ns = PrintedNs(output.stdout_text);
  result->samples_ns.push_back(printed_ns > 0 ? printed_ns : 1e9 * wall_s);
  return true;
}

}  // namespace tilth
