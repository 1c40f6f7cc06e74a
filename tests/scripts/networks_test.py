"""bench/networks.py: the shapes of known networks add up to what is known of them."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import kernels  # noqa: E402
import networks  # noqa: E402


def multiply_adds(network):
    """Of the convolutions and matrix products, each as often as it occurs."""
    return sum(kernels.flops(shape) or 0 for shape in network()) / 2


class NetworksTest(unittest.TestCase):
    def test_resnet50_has_4_1_billion_multiply_adds(self):
        self.assertAlmostEqual(multiply_adds(networks.resnet50) / 1e9, 4.09, delta=0.01)

    def test_mobilenetv2_has_0_3_billion_multiply_adds(self):
        self.assertAlmostEqual(multiply_adds(networks.mobilenetv2) / 1e9, 0.30, delta=0.005)

    def test_names_are_distinct(self):
        names = [shape["name"] for shape in kernels.chosen_shapes("")]
        self.assertEqual(len(names), len(set(names)))

    def test_shapes_are_chosen_by_name_and_by_network(self):
        self.assertEqual([shape["name"] for shape in kernels.chosen_shapes("sgemm")], ["sgemm 1024^3"])
        self.assertTrue(all(shape["networks"] == ["bert_base"] for shape in kernels.chosen_shapes("bert_base")))


if __name__ == "__main__":
    unittest.main()
