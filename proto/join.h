// Becoming a member of a farm with a token, and staying one (farm.proto, service Enrolment).
//
// A token is "tilth1.ID.SECRET.PIN" in URL-safe base64: the tracker's number of the token, 16 random bytes that the
// tracker knows only by their hash, and the SHA-256 of the authority's certificate. Whoever answers is checked against
// the PIN before the secret is sent, so that nobody between joiner and tracker can take it.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "proto/credentials.h"

namespace tilth {

struct JoinToken {
  std::string id, secret, authority_digest;  // bytes
};

std::string FormatToken(const JoinToken& token);
// kInvalidArgument: it is no token, or only a part of one.
StatusOr<JoinToken> ParseToken(const std::string& text);

// Join carries its token here, too: a tracker reads no request of a stranger who has none.
inline constexpr char kTokenMetadata[] = "tilth-token";

struct Membership {
  Identity identity;
  std::string device_class;  // agents: the only one that it may join
};

// Makes a key, which never leaves this machine, and has it certified. `agent_id`: the name that an agent wants; people
// get the one that their token was made for. Errors:
//   kUnavailable       nobody answers             kFailedPrecondition  no TLS there, or another farm than the token's
//   kInvalidArgument   the token is none          kPermissionDenied    the tracker refuses it: used, expired, wrong
StatusOr<Membership> JoinFarm(const std::string& address, const std::string& token, const std::string& agent_id,
                              int64_t timeout_ms = 15'000);

// A new key and certificate of the same name and role.
StatusOr<Identity> RenewIdentity(const std::string& address, const Identity& identity, int64_t timeout_ms = 15'000);

// Loads the identity in `directory` and, late in its life, renews and stores it. A renewal that fails is only logged
// while the old certificate is valid.
StatusOr<Identity> LoadFreshIdentity(const std::string& address, const std::string& directory);
// FindIdentity, likewise renewed.
StatusOr<Identity> FindFreshIdentity(const std::string& address);

}  // namespace tilth
