"""Export to ONNX: converters of the estimators, alone and in pipelines, for skl2onnx."""

from skc2c.onnx.registration import register_converters

__all__ = ["register_converters"]
