// Applies the steps of a schema, one transaction each.
#include "db/schema.h"

namespace tilth::sqlite {
namespace {

StatusOr<int64_t> QueryInt64(Database& database, std::string_view sql) {
  TILTH_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  TILTH_ASSIGN_OR_RETURN(const bool found, statement.Step());
  return found ? statement.Int64(0) : 0;
}

// The version of the file, or why it cannot be used.
StatusOr<int64_t> IdentifiedVersion(Database& database, const Schema& schema) {
  TILTH_ASSIGN_OR_RETURN(const int64_t id, QueryInt64(database, "PRAGMA application_id"));
  TILTH_ASSIGN_OR_RETURN(const int64_t tables, QueryInt64(database, "SELECT count(*) FROM sqlite_schema"));
  if (id != schema.application_id && (id != 0 || tables != 0)) {
    return absl::InvalidArgumentError(
        StrCat(database.path(), ": an SQLite database, but not a Tilth ", schema.what, ": check the path"));
  }
  TILTH_ASSIGN_OR_RETURN(const int64_t version, database.UserVersion());
  if (version > schema.version()) {
    return absl::FailedPreconditionError(StrCat(database.path(), ": written by a newer Tilth: it has version ", version,
                                                " of the ", schema.what, ", and this Tilth knows versions up to ",
                                                schema.version(), ": update Tilth, or use another file"));
  }
  return version;
}

// Applies the next step if one is missing: true when it did. The version is read again under the write lock, as another
// process may have been faster.
StatusOr<bool> ApplyNextStep(Database& database, const Schema& schema) {
  TILTH_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  TILTH_ASSIGN_OR_RETURN(const int64_t version, IdentifiedVersion(database, schema));
  if (version == schema.version()) return false;
  TILTH_RETURN_IF_ERROR(database.Execute(std::string(schema.steps[version])), "bringing the ", schema.what,
                        " from version ", version, " to ", version + 1);
  TILTH_RETURN_IF_ERROR(database.Execute(StrCat("PRAGMA application_id = ", schema.application_id)));
  TILTH_RETURN_IF_ERROR(database.SetUserVersion(version + 1));
  TILTH_RETURN_IF_ERROR(transaction.Commit());
  return true;
}

}  // namespace

Status Migrate(Database& database, const Schema& schema) {
  TILTH_CHECK(schema.application_id != 0);
  TILTH_ASSIGN_OR_RETURN(const int64_t version, IdentifiedVersion(database, schema));
  if (version == schema.version()) return absl::OkStatus();
  for (;;) {
    TILTH_ASSIGN_OR_RETURN(const bool applied, ApplyNextStep(database, schema));
    if (!applied) return absl::OkStatus();
  }
}

Status CheckVersion(Database& database, const Schema& schema) {
  TILTH_ASSIGN_OR_RETURN(const int64_t version, IdentifiedVersion(database, schema));
  if (version == schema.version()) return absl::OkStatus();
  if (version == 0) {
    return absl::FailedPreconditionError(StrCat(database.path(), ": holds no ", schema.what, " yet: check the path"));
  }
  return absl::FailedPreconditionError(
      StrCat(database.path(), ": has version ", version, " of the ", schema.what, ", and this Tilth reads version ",
             schema.version(), ": open it once for writing (`tilth log gc` does), which brings it up to date"));
}

}  // namespace tilth::sqlite
