"""The include fence finds what it should and lets pass what it should."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check-includes"


def findings(*files):
    """The lines that the fence prints about a tree of files, each (path, what it includes)."""
    with tempfile.TemporaryDirectory() as root:
        for path, include in files:
            file = pathlib.Path(root) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("#include %s\n" % include)
        run = subprocess.run([sys.executable, str(SCRIPT), root], capture_output=True, text=True, check=False)
        assert run.returncode == (1 if run.stdout else 0), run.stderr
        return run.stdout


class CheckIncludes(unittest.TestCase):
    def test_lower_rows_pass(self):
        self.assertEqual(findings(("tuner/a.cc", '"ir/workload.h"')), "")
        self.assertEqual(findings(("db/a.cc", "<sqlite3.h>")), "")
        self.assertEqual(findings(("rpc_agent/a.cc", '"compiler/runtime/kernel_abi.h"')), "")

    def test_upward_and_sideways_are_found(self):
        self.assertIn("tuner stands beside or above db", findings(("db/a.cc", '"tuner/session.h"')))
        self.assertIn("cost_model stands beside", findings(("compiler/a.cc", '"cost_model/model.h"')))

    def test_agent_sees_neither_ir_nor_codegen(self):
        self.assertIn("may include only", findings(("rpc_agent/a.cc", '"ir/workload.h"')))
        self.assertIn("may include only", findings(("rpc_agent/a.cc", '"compiler/codegen/jit.h"')))

    def test_libraries_have_one_home(self):
        self.assertIn("compiler/codegen", findings(("tuner/a.cc", '"llvm/IR/Module.h"')))
        self.assertIn("home", findings(("farm/a.cc", "<sqlite3.h>")))
        self.assertIn("home", findings(("db/a.cc", '"proto/farm.grpc.pb.h"')))
        self.assertIn("home", findings(("tuner/a.cc", "<boost/beast/core.hpp>")))
        self.assertEqual(findings(("tuner/a.cc", "<boost/asio/post.hpp>")), "")

    def test_headers_with_heavy_libraries_are_internal_to_their_folder(self):
        heavy = ("compiler/codegen/emit.h", '"llvm/IR/IRBuilder.h"')
        through = ("compiler/codegen/math.h", '"compiler/codegen/emit.h"')
        self.assertEqual(findings(heavy, through, ("compiler/codegen/a.cc", '"compiler/codegen/math.h"')), "")
        self.assertIn("internal to its folder", findings(heavy, through, ("tuner/a.cc", '"compiler/codegen/math.h"')))
        dial = ("proto/dial.h", "<grpcpp/channel.h>")
        self.assertEqual(findings(dial, ("farm/a.cc", '"proto/dial.h"')), "")
        self.assertIn("brings grpcpp/", findings(dial, ("tuner/a.cc", '"proto/dial.h"')))
        self.assertEqual(findings(("db/a.cc", '"nlohmann/json.hpp"')), "")


if __name__ == "__main__":
    unittest.main()
