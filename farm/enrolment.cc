#include "farm/enrolment.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "db/sqlite.h"
#include "proto/certificate.h"
#include "proto/join.h"
#include "proto/names.h"

namespace tilth {
namespace {

constexpr int64_t kSchemaVersion = 1;
constexpr int kTokenIdBytes = 8, kSecretBytes = 16;
constexpr size_t kShortestIdPrefix = 8;

constexpr char kSchema[] = R"(
CREATE TABLE tokens(
  id TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL,
  role TEXT NOT NULL,
  name TEXT NOT NULL,
  device_class TEXT NOT NULL,
  expires_s INTEGER NOT NULL,
  used_by TEXT) WITHOUT ROWID;
CREATE TABLE certificates(
  serial TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  device_class TEXT NOT NULL,
  expires_s INTEGER NOT NULL,
  revoked_s INTEGER) WITHOUT ROWID;
CREATE INDEX certificates_by_name ON certificates(name);
)";

Status CheckName(std::string_view what, const std::string& name) {
  if (IsPlainName(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("'", name, "' cannot be ", what,
                                           ": 1 to 64 letters, digits and the characters . _ @ + -, not begun by -"));
}

Status CheckTerms(const TokenTerms& terms) {
  const bool agent = terms.role == kRoleAgent;
  if (!agent && terms.role != kRoleSubmitter && terms.role != kRoleAdmin) {
    return absl::InvalidArgumentError(
        StrCat("there is no role '", terms.role, "': the roles are agent, submitter, admin"));
  }
  TILTH_RETURN_IF_ERROR(agent ? CheckName("a device class", terms.device_class)
                              : CheckName("the name of a person", terms.name));
  if (terms.lifetime_s < 1 || terms.lifetime_s > kLongestTokenLifetimeSeconds) {
    return absl::InvalidArgumentError("a token lives for at least a second and at most a week");
  }
  return absl::OkStatus();
}

}  // namespace

class Enrolment::Tables {
 public:
  static StatusOr<std::unique_ptr<Tables>> Open(const std::string& path) {
    TILTH_ASSIGN_OR_RETURN(std::unique_ptr<sqlite::Database> database, sqlite::Database::Open(path));
    TILTH_ASSIGN_OR_RETURN(sqlite::Transaction transaction, sqlite::Transaction::Begin(*database));
    TILTH_ASSIGN_OR_RETURN(const int64_t version, database->UserVersion());
    if (version > kSchemaVersion) {
      return absl::FailedPreconditionError(StrCat(path, " has version ", version, ", this release knows version ",
                                                  kSchemaVersion, "; run the release that wrote it"));
    }
    if (version == 0) {
      TILTH_RETURN_IF_ERROR(database->Execute(kSchema));
      TILTH_RETURN_IF_ERROR(database->SetUserVersion(kSchemaVersion));
    }
    TILTH_RETURN_IF_ERROR(transaction.Commit());
    return std::unique_ptr<Tables>(new Tables(std::move(database)));
  }

  sqlite::Database& database() { return *database_; }

  // Whether a row has changed.
  template <typename... Args>
  StatusOr<bool> Change(std::string_view sql, const Args&... args) {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement statement, database_->Prepare(sql));
    TILTH_RETURN_IF_ERROR(statement.BindAll(args...).Run());
    return database_->Changes() > 0;
  }

  template <typename... Args>
  StatusOr<std::vector<std::string>> Texts(std::string_view sql, const Args&... args) {
    TILTH_ASSIGN_OR_RETURN(sqlite::Statement statement, database_->Prepare(sql));
    statement.BindAll(args...);
    std::vector<std::string> texts;
    for (;;) {
      TILTH_ASSIGN_OR_RETURN(const bool more, statement.Step());
      if (!more) return texts;
      texts.push_back(statement.Text(0));
    }
  }

  struct TokenRow {
    std::string id;
    TokenTerms terms;
  };
  // kPermissionDenied with the reason if it is not of this farm, or used, or expired.
  StatusOr<TokenRow> FindGoodToken(const std::string& token, int64_t now_s) {
    TILTH_ASSIGN_OR_RETURN(const JoinToken parsed, ParseToken(token));
    TokenRow row{.id = absl::BytesToHexString(parsed.id)};
    TILTH_ASSIGN_OR_RETURN(
        sqlite::Statement statement,
        database_->Prepare(
            "SELECT secret_hash, role, name, device_class, expires_s, used_by FROM tokens WHERE id = ?1"));
    TILTH_ASSIGN_OR_RETURN(const bool found, statement.BindAll(row.id).Step());
    if (!found || !SecretsEqual(statement.Blob(0), Sha256(parsed.secret))) {
      return absl::PermissionDeniedError("this farm has not made this token; ask for one with `tilth farm enroll`");
    }
    if (!statement.IsNull(5)) {
      return absl::PermissionDeniedError(
          "the token has been used already; a token is good for one join: ask for another one, and if you did not use "
          "it, tell the farm's administrator");
    }
    if (statement.Int64(4) <= now_s) {
      return absl::PermissionDeniedError(
          StrCat("the token expired on ", FormatUtc(statement.Int64(4)), "; ask for another one"));
    }
    row.terms.role = statement.Text(1);
    row.terms.name = statement.Text(2);
    row.terms.device_class = statement.Text(3);
    return row;
  }

 private:
  explicit Tables(std::unique_ptr<sqlite::Database> database) : database_(std::move(database)) {}

  std::unique_ptr<sqlite::Database> database_;
};

Enrolment::Enrolment(const CertificateAuthority& authority, const Clock& clock)
    : authority_(authority), clock_(clock) {}
Enrolment::~Enrolment() = default;

StatusOr<std::unique_ptr<Enrolment>> Enrolment::Open(const std::string& path, const CertificateAuthority& authority,
                                                     const Clock& clock) {
  std::unique_ptr<Enrolment> opened(new Enrolment(authority, clock));
  TILTH_ASSIGN_OR_RETURN(opened->tables_, Tables::Open(path), "opening the farm's list of members");
  Tables& tables = *opened->tables_;
  const int64_t now_s = opened->NowSeconds();
  TILTH_RETURN_IF_ERROR(tables.Change("DELETE FROM tokens WHERE expires_s + ?2 < ?1", now_s, kDaySeconds).status());
  TILTH_RETURN_IF_ERROR(
      tables.Change("DELETE FROM certificates WHERE expires_s + ?2 < ?1", now_s, kDaySeconds).status());
  TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> revoked,
                         tables.Texts("SELECT serial FROM certificates WHERE revoked_s IS NOT NULL"));
  opened->revoked_.insert(revoked.begin(), revoked.end());
  return opened;
}

StatusOr<NewToken> Enrolment::CreateToken(const TokenTerms& terms) {
  TILTH_RETURN_IF_ERROR(CheckTerms(terms));
  const bool agent = terms.role == kRoleAgent;
  const JoinToken token{
      .id = RandomBytes(kTokenIdBytes), .secret = RandomBytes(kSecretBytes), .authority_digest = authority_.digest()};
  std::lock_guard lock(mutex_);
  NewToken made{.text = FormatToken(token), .expires_unix_s = NowSeconds() + terms.lifetime_s};
  TILTH_ASSIGN_OR_RETURN(sqlite::Statement insert,
                         tables_->database().Prepare("INSERT INTO tokens VALUES(?1, ?2, ?3, ?4, ?5, ?6, NULL)"));
  insert.BindAll(absl::BytesToHexString(token.id), nullptr, terms.role, agent ? "" : terms.name,
                 agent ? terms.device_class : "", made.expires_unix_s);
  insert.BindBlob(2, Sha256(token.secret));
  TILTH_RETURN_IF_ERROR(insert.Run(), "keeping a token");
  return made;
}

Status Enrolment::CheckToken(const std::string& token) {
  std::lock_guard lock(mutex_);
  return tables_->FindGoodToken(token, NowSeconds()).status();
}

StatusOr<Certified> Enrolment::Join(const std::string& token, const std::string& agent_id,
                                    const std::string& signing_request_pem) {
  std::lock_guard lock(mutex_);
  // Another process may write here, too (`tilth farm enroll --state`): the transaction holds the file's write lock.
  TILTH_ASSIGN_OR_RETURN(sqlite::Transaction transaction, sqlite::Transaction::Begin(tables_->database()));
  TILTH_ASSIGN_OR_RETURN(const Tables::TokenRow row, tables_->FindGoodToken(token, NowSeconds()));
  const bool agent = row.terms.role == kRoleAgent;
  if (agent == agent_id.empty()) {
    return absl::InvalidArgumentError(agent ? "this token is for a device: `tilth-agent join` there takes it"
                                            : "this token is for a person: `tilth farm join` takes it");
  }
  const std::string& name = agent ? agent_id : row.terms.name;
  TILTH_RETURN_IF_ERROR(CheckName(agent ? "an agent's id" : "the name of a person", name));
  if (agent) {
    TILTH_ASSIGN_OR_RETURN(
        const std::vector<std::string> others,
        tables_->Texts("SELECT serial FROM certificates WHERE name = ?1 AND revoked_s IS NULL AND expires_s > ?2", name,
                       NowSeconds()));
    if (!others.empty()) {
      return absl::PermissionDeniedError(StrCat("an agent with the id ", name,
                                                " has joined already; if it is this one, `tilth farm revoke ", name,
                                                "` first"));
    }
  }
  TILTH_ASSIGN_OR_RETURN(Certified certified,
                         CertifyLocked(signing_request_pem, name, row.terms.role, row.terms.device_class));
  TILTH_ASSIGN_OR_RETURN(const bool used,
                         tables_->Change("UPDATE tokens SET used_by = ?2 WHERE id = ?1", row.id, name));
  TILTH_CHECK(used);
  TILTH_RETURN_IF_ERROR(transaction.Commit());
  return certified;
}

StatusOr<Certified> Enrolment::Certify(const std::string& signing_request_pem, const std::string& name,
                                       const std::string& role, const std::string& device_class) {
  TILTH_RETURN_IF_ERROR(CheckName("a name in a certificate", name));
  std::lock_guard lock(mutex_);
  return CertifyLocked(signing_request_pem, name, role, device_class);
}

StatusOr<Certified> Enrolment::Renew(const std::string& serial, const std::string& signing_request_pem) {
  std::lock_guard lock(mutex_);
  TILTH_ASSIGN_OR_RETURN(
      sqlite::Statement statement,
      tables_->database().Prepare(
          "SELECT name, role, device_class FROM certificates WHERE serial = ?1 AND revoked_s IS NULL"));
  TILTH_ASSIGN_OR_RETURN(const bool found, statement.BindAll(serial).Step());
  if (!found) {
    return absl::UnauthenticatedError(StrCat("the certificate with the serial number ", serial,
                                             " has been revoked, or is not in this farm's list of members"));
  }
  const std::string name = statement.Text(0), role = statement.Text(1), device_class = statement.Text(2);
  statement.Reset();
  return CertifyLocked(signing_request_pem, name, role, device_class);
}

StatusOr<Certified> Enrolment::CertifyLocked(const std::string& signing_request_pem, const std::string& name,
                                             const std::string& role, const std::string& device_class) {
  Certified certified{.name = name, .role = role, .device_class = device_class};
  TILTH_ASSIGN_OR_RETURN(certified.certificate_pem, authority_.Issue(signing_request_pem, name, role, device_class));
  TILTH_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(certified.certificate_pem));
  certified.serial = info.serial;
  TILTH_RETURN_IF_ERROR(tables_
                            ->Change("INSERT INTO certificates VALUES(?1, ?2, ?3, ?4, ?5, NULL)", info.serial, name,
                                     role, device_class, info.not_after_s)
                            .status(),
                        "keeping a certificate's number");
  return certified;
}

StatusOr<std::vector<std::string>> Enrolment::Revoke(const std::string& name_or_serial) {
  std::lock_guard lock(mutex_);
  TILTH_ASSIGN_OR_RETURN(sqlite::Transaction transaction, sqlite::Transaction::Begin(tables_->database()));
  TILTH_ASSIGN_OR_RETURN(
      std::vector<std::string> serials,
      tables_->Texts("SELECT serial FROM certificates WHERE (name = ?1 OR serial = lower(?1)) AND revoked_s IS NULL "
                     "AND expires_s > ?2",
                     name_or_serial, NowSeconds()));
  if (serials.empty() && name_or_serial.size() >= kShortestIdPrefix) {
    TILTH_ASSIGN_OR_RETURN(
        const std::vector<std::string> agents,
        tables_->Texts("SELECT DISTINCT name FROM certificates WHERE role = 'agent' AND revoked_s IS "
                       "NULL AND expires_s > ?2 AND substr(name, 1, length(?1)) = ?1",
                       name_or_serial, NowSeconds()));
    if (agents.size() > 1) {
      return absl::InvalidArgumentError(StrCat(agents.size(), " agents have ids that begin with ", name_or_serial));
    }
    if (agents.size() == 1) {
      TILTH_ASSIGN_OR_RETURN(serials, tables_->Texts("SELECT serial FROM certificates WHERE name = ?1 AND revoked_s IS "
                                                     "NULL AND expires_s > ?2",
                                                     agents[0], NowSeconds()));
    }
  }
  if (serials.empty()) {
    return absl::NotFoundError(StrCat("no valid certificate has the name or serial number '", name_or_serial, "'"));
  }
  TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> before, AdministratorsLocked());
  for (const std::string& serial : serials) {
    TILTH_RETURN_IF_ERROR(
        tables_->Change("UPDATE certificates SET revoked_s = ?2 WHERE serial = ?1", serial, NowSeconds()).status());
  }
  TILTH_ASSIGN_OR_RETURN(const std::vector<std::string> after, AdministratorsLocked());
  if (!before.empty() && after.empty()) {
    return absl::FailedPreconditionError(StrCat(
        "not revoked: ", before.front(),
        " is the farm's last administrator, and nobody could steer it any more. Let "
        "another certificate join first (`tilth farm enroll --role admin --name NAME`, on the tracker's own machine "
        "with --state DIR, then `tilth farm join`); if the name stays the same, revoke the old one by its serial "
        "number, which the tracker's audit log has"));
  }
  TILTH_RETURN_IF_ERROR(transaction.Commit());
  revoked_.insert(serials.begin(), serials.end());
  return serials;
}

StatusOr<std::vector<std::string>> Enrolment::AdministratorsLocked() {
  return tables_->Texts(
      "SELECT DISTINCT name FROM certificates WHERE role = ?1 AND revoked_s IS NULL AND expires_s > ?2", kRoleAdmin,
      NowSeconds());
}

bool Enrolment::IsRevoked(const std::string& serial) const {
  std::lock_guard lock(mutex_);
  return revoked_.contains(serial);
}

}  // namespace tilth
