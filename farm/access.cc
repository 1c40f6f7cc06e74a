#include "farm/access.h"

#include <array>
#include <string_view>

#include "absl/strings/match.h"
#include "proto/certificate.h"

namespace tilth {
namespace {

constexpr size_t kMaxVerified = 10'000;

struct Rule {
  std::string_view methods;  // the beginning of their names
  bool agent, submitter, admin;
};
// The first that matches counts.
constexpr std::array kRules = {
    Rule{"/tilth.proto.Agents/", true, false, false},        Rule{"/tilth.proto.Farm/", false, true, true},
    Rule{"/tilth.proto.Operations/List", false, true, true}, Rule{"/tilth.proto.Operations/", false, false, true},
    Rule{"/tilth.proto.Enrolment/Renew", true, true, true},
};

constexpr char kHowToJoin[] =
    "join the farm with a token (`tilth farm enroll` makes one; `tilth farm join` or `tilth-agent join` uses it)";

std::string RolesOf(const Rule& rule) {
  if (rule.agent) return rule.admin ? "every role" : "agent";
  return rule.submitter ? "submitter or admin" : "admin";
}

}  // namespace

Peer AnybodyInTheClear() { return {.role = kRoleAdmin}; }

StatusOr<Peer> Access::Identify(const std::string& certificate_pem) {
  if (certificate_pem.empty()) {
    return absl::UnauthenticatedError(
        StrCat("this tracker knows its callers by their certificates, and this caller shows none: ", kHowToJoin));
  }
  {
    std::lock_guard lock(mutex_);
    const auto known = verified_.find(certificate_pem);
    if (known != verified_.end()) {
      TILTH_RETURN_IF_ERROR(CheckStillGood(known->second));
      return known->second;
    }
  }
  const Status verified = VerifyCertificate(certificate_pem, authority_.certificate_pem(), clock_.WallMs() / 1000,
                                            CertificatePurpose::kClient);
  if (!verified.ok()) {
    return absl::UnauthenticatedError(StrCat(ToStd(verified.message()), ": ", kHowToJoin));
  }
  TILTH_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(certificate_pem));
  const Peer peer{.name = info.name,
                  .role = info.role,
                  .device_class = info.device_class,
                  .serial = info.serial,
                  .not_after_s = info.not_after_s};
  TILTH_RETURN_IF_ERROR(CheckStillGood(peer));
  std::lock_guard lock(mutex_);
  if (verified_.size() >= kMaxVerified) verified_.clear();
  verified_.emplace(certificate_pem, peer);
  return peer;
}

Status Access::CheckStillGood(const Peer& peer) const {
  if (peer.serial.empty()) return absl::OkStatus();
  if (clock_.WallMs() / 1000 > peer.not_after_s) {
    return absl::UnauthenticatedError(
        StrCat("the certificate of ", peer.name, " expired on ", FormatUtc(peer.not_after_s), ": ", kHowToJoin));
  }
  if (enrolment_.IsRevoked(peer.serial)) {
    return absl::UnauthenticatedError(StrCat("the certificate of ", peer.name, " (", peer.role, ", serial number ",
                                             peer.serial, ") has been revoked; ask the farm's administrator"));
  }
  return absl::OkStatus();
}

Status CheckIsAgent(const Peer& peer, const std::string& agent_id, const std::string& device_class) {
  if (peer.serial.empty()) return absl::OkStatus();
  if (agent_id != peer.name) {
    return absl::PermissionDeniedError(StrCat("the certificate is for the agent ", peer.name, ", not for ", agent_id,
                                              "; a copied identity is no way to add a device: join it with a token"));
  }
  if (device_class != peer.device_class) {
    return absl::PermissionDeniedError(StrCat("the certificate is for a device of class ", peer.device_class, ", not ",
                                              device_class, "; revoke it and join with a token for that class"));
  }
  return absl::OkStatus();
}

bool NeedsNoCertificate(const std::string& method) { return method == "/tilth.proto.Enrolment/Join"; }

Status CheckMayCall(const Peer& peer, const std::string& method) {
  const std::string_view call = std::string_view(method).substr(method.rfind('/') + 1);
  for (const Rule& rule : kRules) {
    if (!absl::StartsWith(ToAbsl(method), ToAbsl(rule.methods))) continue;
    if ((rule.agent && peer.role == kRoleAgent) || (rule.submitter && peer.role == kRoleSubmitter) ||
        (rule.admin && peer.role == kRoleAdmin)) {
      return absl::OkStatus();
    }
    return absl::PermissionDeniedError(StrCat(call, " takes the role ", RolesOf(rule), "; the certificate of ",
                                              peer.name, " is for ",
                                              peer.role.empty() ? "no role" : StrCat("the role ", peer.role),
                                              " (an administrator can `tilth farm ", "enroll --role …` another one)"));
  }
  return absl::PermissionDeniedError(StrCat("nobody may call ", method));
}

}  // namespace tilth
