// Who this process is towards a tracker: a key, its certificate and the authority of the farm, as `join` stored them.
//
// A directory holds authority.pem, and identity.pem with the certificate and the key, which only its owner may read.
// Agents keep theirs in their work directory. People have one directory for each farm, ~/.config/tilth/farms/HOST_PORT,
// unless the environment variable TILTH_IDENTITY names another.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace grpc {
class ChannelCredentials;
}

namespace tilth {

// Every server certificate of a farm's authority has this name. The authority signs for the servers of one farm and for
// nobody else, so that it is the tracker that has been reached, under whatever address.
inline constexpr char kTrackerTlsName[] = "tracker.tilth.internal";

struct Identity {
  std::string authority_pem, certificate_pem, key_pem;

  // Nobody: connections are in the clear.
  bool Empty() const { return certificate_pem.empty(); }
};

// kNotFound if there is none in `directory`. kFailedPrecondition if others may read the key, or if a file is damaged.
StatusOr<Identity> LoadIdentity(const std::string& directory);

// Makes the directory, if need be only for its owner. A reader sees the old identity or the new one.
Status StoreIdentity(const std::string& directory, const Identity& identity);

// Where a person's identity for the tracker at HOST:PORT is.
std::string IdentityDirectory(const std::string& address);

// The person's identity for a tracker. None is an empty one on loopback, and kFailedPrecondition with what to do
// elsewhere, unless TILTH_INSECURE=1 says that the network can be trusted.
StatusOr<Identity> FindIdentity(const std::string& address);

// The address is one of this machine's own: "127.…", "localhost", "[::1]", "unix:…".
bool IsLoopback(const std::string& address);
// Whether TILTH_INSECURE=1 is set.
bool ClearTextAllowed();

// For a channel: mutual TLS with this identity, or none with an empty one.
std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(const Identity& identity);

}  // namespace tilth
