// `tilth farm init|enroll|join|revoke`: who is in a farm.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/farm.h"
#include "farm/members.h"
#include "farm/security.h"
#include "nlohmann/json.hpp"
#include "proto/address.h"
#include "proto/certificate.h"
#include "proto/join.h"
#include "proto/measure.h"
#include "proto/names.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kLargestPort = 65'535;

struct Arguments {
  std::string state_directory = "tilth-farm", administrator;
  std::vector<std::string> names;
  int port = 9190;

  std::string address = "127.0.0.1:9190";
  TokenTerms terms{.role = kRoleAgent};
  std::string lifetime = "1h", offline_state;
  std::string token, member;
  bool json = false;
};

std::string HostName() {
  char name[256] = "localhost";
  gethostname(name, sizeof name - 1);
  return name;
}

Status Init(Arguments& arguments) {
  if (arguments.names.empty()) arguments.names.push_back(HostName());
  if (arguments.administrator.empty()) {
    const char* user = std::getenv("USER");
    arguments.administrator = user != nullptr && IsPlainName(user) ? user : "admin";
  }
  std::vector<std::string> hosts = arguments.names;
  // Of another farm on this machine, whose administrator it may be.
  for (const std::string& host : hosts) {
    const std::string directory = IdentityDirectory(StrCat(host, ":", arguments.port));
    if (!FileExists(StrCat(directory, "/identity.pem")) || FarmSecurity::IsInitialised(arguments.state_directory))
      continue;
    return absl::AlreadyExistsError(StrCat(directory,
                                           " has an identity of another farm at this address; move it away, or "
                                           "keep the new farm's with --identity DIR"));
  }
  for (const char* local : {"127.0.0.1", "localhost"}) {
    const std::string directory = IdentityDirectory(StrCat(local, ":", arguments.port));
    if (std::find(hosts.begin(), hosts.end(), local) != hosts.end()) continue;
    if (FileExists(StrCat(directory, "/identity.pem"))) {
      std::cout << directory << " stays as it is: an identity of another farm\n";
    } else {
      hosts.push_back(local);
    }
  }
  TILTH_ASSIGN_OR_RETURN(const Identity identity, FarmSecurity::Initialize(arguments.state_directory, arguments.names,
                                                                           arguments.administrator, SystemClock()));
  std::cout << "the farm's authority is in " << arguments.state_directory
            << "/authority: keep a copy of it in a safe place\n";
  std::string stored;
  for (const std::string& host : hosts) {
    const std::string directory = IdentityDirectory(StrCat(host, ":", arguments.port));
    if (directory == stored) continue;  // --identity: one for all addresses
    TILTH_RETURN_IF_ERROR(StoreIdentity(directory, identity), "keeping the administrator's identity");
    std::cout << "administrator " << arguments.administrator << ": " << directory << "\n";
    stored = directory;
  }
  std::cout << "next:\n  tilth farm serve --state " << arguments.state_directory
            << " --listen 0.0.0.0:" << arguments.port
            << "\n  tilth farm enroll --class CLASS      prints how a device joins\n";
  return absl::OkStatus();
}

StatusOr<int64_t> ParseLifetime(const std::string& text) {
  int64_t days = 0;
  if (text.ends_with("d") && absl::SimpleAtoi(text.substr(0, text.size() - 1), &days)) return days * kDaySeconds;
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration)) return absl::ToInt64Seconds(duration);
  return absl::InvalidArgumentError(StrCat("--expires ", text, ": give a duration, as in 90s, 10m, 12h or 7d"));
}

// Of what only the command line can tell apart: what was left out, and what has no part in it.
Status CheckTerms(const TokenTerms& terms) {
  const bool agent = terms.role == kRoleAgent;
  const std::string &wanted = agent ? terms.device_class : terms.name, &other = agent ? terms.name : terms.device_class;
  if (wanted.empty()) {
    return absl::InvalidArgumentError(agent ? "--class is missing: the class of the device that is to join"
                                            : StrCat("--name is missing: the name of the ", terms.role));
  }
  if (!other.empty()) {
    return absl::InvalidArgumentError(agent ? "--name is for people (--role submitter or admin), not for a device"
                                            : "--class is for devices, not for people; leave it or --role out");
  }
  if (terms.lifetime_s >= 1 && terms.lifetime_s <= kLongestTokenLifetimeSeconds) return absl::OkStatus();
  return absl::InvalidArgumentError("--expires: a token is good for at least a second and at most 7d");
}

// Without a tracker: into the state directory, which only the tracker's own user may.
StatusOr<RequestedToken> MakeTokenOffline(const std::string& state_directory, const TokenTerms& terms) {
  TILTH_ASSIGN_OR_RETURN(const std::unique_ptr<FarmSecurity> security,
                         FarmSecurity::Open(state_directory, SystemClock()));
  proto::CreateTokenRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_role(terms.role);
  request.set_name(terms.name);
  request.set_device_class(terms.device_class);
  request.set_lifetime_s(terms.lifetime_s);
  TILTH_ASSIGN_OR_RETURN(const proto::CreateTokenReply reply,
                         security->CreateToken({.name = "the state's owner", .role = kRoleAdmin}, request));
  return RequestedToken{.token = {.text = reply.token(), .expires_unix_s = reply.expires_unix_s()},
                        .tracker_name = reply.tracker_name()};
}

Status Enroll(Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(arguments.terms.lifetime_s, ParseLifetime(arguments.lifetime));
  const TokenTerms& terms = arguments.terms;
  TILTH_RETURN_IF_ERROR(CheckTerms(terms));
  TILTH_ASSIGN_OR_RETURN(const RequestedToken made, arguments.offline_state.empty()
                                                        ? RequestToken(arguments.address, terms)
                                                        : MakeTokenOffline(arguments.offline_state, terms));
  std::string address = arguments.address;
  // An administrator on the tracker's machine dials loopback; others cannot.
  if (!made.tracker_name.empty() && IsLoopback(address)) {
    address = StrCat(made.tracker_name, address.substr(address.rfind(':')));
  }
  const bool agent = terms.role == kRoleAgent;
  const std::string command =
      StrCat(agent ? "tilth-agent join " : "tilth farm join ", address, " --token ", made.token.text);
  if (arguments.json) {
    std::cout << Json{{"token", made.token.text},
                      {"command", command},
                      {"role", terms.role},
                      {"expires_unix_s", made.token.expires_unix_s}}
                     .dump(2)
              << "\n";
    return absl::OkStatus();
  }
  std::cout << command << std::endl;
  std::cerr << "good once, until " << FormatUtc(made.token.expires_unix_s) << ", for "
            << (agent ? StrCat("a device of class ", terms.device_class) : StrCat(terms.role, " ", terms.name)) << "\n";
  return absl::OkStatus();
}

Status Join(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const Membership membership, JoinFarm(arguments.address, arguments.token, /*agent_id=*/""));
  const std::string directory = IdentityDirectory(arguments.address);
  TILTH_RETURN_IF_ERROR(StoreIdentity(directory, membership.identity));
  TILTH_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(membership.identity.certificate_pem));
  std::cout << "joined " << arguments.address << " as " << info.name << ", " << info.role << "; identity in "
            << directory << "\n";
  return absl::OkStatus();
}

Status Revoke(const Arguments& arguments) {
  TILTH_ASSIGN_OR_RETURN(const int certificates, RevokeMember(arguments.address, arguments.member));
  std::cout << "revoked " << certificates << (certificates == 1 ? " certificate" : " certificates") << " of "
            << arguments.member << "\n";
  return absl::OkStatus();
}

CLI::App* AddAction(CLI::App* farm, const std::string& name, const std::string& description, const std::string& example,
                    const std::shared_ptr<Arguments>& arguments, int* exit_code,
                    const std::function<Status(Arguments&)>& action) {
  CLI::App* command = farm->add_subcommand(name, description);
  command->footer(StrCat("Example:\n  tilth farm ", name, " ", example));
  command->callback(
      [name, arguments, exit_code, action] { *exit_code = ReportStatus(StrCat("farm ", name), action(*arguments)); });
  return command;
}

void AddAddress(CLI::App* command, Arguments& arguments) {
  command->add_option("--farm", arguments.address, "The tracker, HOST:PORT")
      ->capture_default_str()
      ->check(CheckTrackerAddress);
}

}  // namespace

void AddFarmMembers(CLI::App* farm, int* exit_code) {
  const auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;

  CLI::App* init = AddAction(farm, "init", "Makes a farm's certificates, and you its administrator; once",
                             "--state /var/lib/tilth --name lab.example", arguments, exit_code, Init);
  init->add_option("--state", a.state_directory, "Directory of the tracker's state")->capture_default_str();
  init->add_option("--name,--address", a.names,
                   "Host name or address of the tracker; repeatable, the first is what devices are told to dial "
                   "(default: this host's name)")
      ->check(CheckHostArgument);
  init->add_option("--port", a.port, "Where the tracker will listen")
      ->capture_default_str()
      ->check(CLI::Range(1, kLargestPort));
  init->add_option("--admin", a.administrator, "Your name in certificates and in the audit log (default: $USER)")
      ->check(CheckPlainNameArgument);

  CLI::App* enroll = AddAction(farm, "enroll", "Prints a command with which a device or a person joins, once",
                               "--class rpi4 --expires 1h", arguments, exit_code, Enroll);
  AddAddress(enroll, a);
  enroll->add_option("--class", a.terms.device_class, "Agents: the class of the device")->check(CheckPlainNameArgument);
  enroll->add_option("--role", a.terms.role, "What it may do: be a device, submit and look, everything")
      ->check(CLI::IsMember({kRoleAgent, kRoleSubmitter, kRoleAdmin}))
      ->capture_default_str();
  enroll->add_option("--name", a.terms.name, "People: their name in certificates and in the audit log")
      ->check(CheckPlainNameArgument);
  enroll->add_option("--expires", a.lifetime, "How long the token is good: 10m, 12h, at most 7d")
      ->capture_default_str();
  enroll->add_option("--state", a.offline_state,
                     "Make the token in this state directory instead of asking the tracker: the way back in for an "
                     "administrator whose identity is lost");
  enroll->add_flag("--json", a.json, "One JSON document");

  CLI::App* join = AddAction(farm, "join", "Makes you a member of a farm, with a token; once",
                             "lab:9190 --token tilth1.…", arguments, exit_code, Join);
  join->add_option("TRACKER", a.address, "HOST:PORT")->required()->check(CheckTrackerAddress);
  join->add_option("--token", a.token, "As `tilth farm enroll --role …` printed it")->required();

  CLI::App* revoke = AddAction(farm, "revoke", "Shuts a member out, from now on", "alice --farm lab:9190", arguments,
                               exit_code, Revoke);
  AddAddress(revoke, a);
  revoke->add_option("MEMBER", a.member, "A person's name, an agent's id, or one certificate's serial number")
      ->required()
      ->check(CheckNameArgument);
}

}  // namespace tilth
