// The steps of the tuning log's schema. A step that was released never changes; a change is a new step.
#include "db/log_schema.h"

namespace tilth {
namespace {

constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE workload(
  hash TEXT PRIMARY KEY NOT NULL,
  text TEXT NOT NULL,
  name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE target(
  hash TEXT PRIMARY KEY NOT NULL,
  text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE device(
  fingerprint TEXT PRIMARY KEY NOT NULL,
  class TEXT NOT NULL,
  attributes TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE session(
  id TEXT PRIMARY KEY NOT NULL,
  model TEXT NOT NULL,
  model_hash TEXT NOT NULL,
  arguments TEXT NOT NULL,
  seed INTEGER NOT NULL,
  tilth_version TEXT NOT NULL,
  started_unix_ns INTEGER NOT NULL,
  ended_unix_ns INTEGER NOT NULL,
  summary TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE record(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  trial_id TEXT NOT NULL UNIQUE,
  session_id TEXT NOT NULL REFERENCES session(id),
  workload_hash TEXT NOT NULL REFERENCES workload(hash),
  target_hash TEXT NOT NULL REFERENCES target(hash),
  device_fingerprint TEXT NOT NULL REFERENCES device(fingerprint),
  decisions TEXT NOT NULL,
  space_version INTEGER NOT NULL,
  feature_version INTEGER NOT NULL,
  codegen_version INTEGER NOT NULL,
  origin TEXT NOT NULL,
  status TEXT NOT NULL,
  detail TEXT NOT NULL,
  median_ns REAL NOT NULL,
  spread REAL NOT NULL,
  samples_ns TEXT NOT NULL,
  time_unix_ns INTEGER NOT NULL,
  build_s REAL NOT NULL,
  measure_s REAL NOT NULL,
  artifact_hash TEXT NOT NULL);
CREATE INDEX record_by_candidate ON record(workload_hash, target_hash, status, median_ns);
CREATE INDEX record_wrong ON record(workload_hash, target_hash, decisions) WHERE status = 'wrong answer';
CREATE INDEX record_by_session ON record(session_id);
CREATE INDEX session_by_model ON session(model_hash);
CREATE VIEW verified AS
  SELECT * FROM (
    SELECT *, row_number() OVER (PARTITION BY workload_hash, target_hash, decisions
                                 ORDER BY time_unix_ns DESC, number DESC) AS age
    FROM record AS good WHERE status = 'ok' AND NOT EXISTS (
      SELECT 1 FROM record AS bad WHERE bad.workload_hash = good.workload_hash AND bad.target_hash = good.target_hash
        AND bad.status = 'wrong answer' AND bad.decisions = good.decisions))
  WHERE age = 1;
)sql";

}  // namespace

const sqlite::Schema& TuningLogSchema() {
  static const sqlite::Schema schema = {
      .what = "tuning log", .application_id = 0x54696c74 /* "Tilt" */, .steps = {kVersion1}};
  return schema;
}

}  // namespace tilth
