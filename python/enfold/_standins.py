"""Names of onnxruntime that have no counterpart here: constants, switches without effect, and functions
that say what they cannot do. enfold.as_onnxruntime puts them beside the session's names."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from enfold import _core, _errors, session

cuda_version = ""
package_name = "onnxruntime"


class OrtAllocatorType(enum.IntEnum):
    INVALID = -1
    ORT_DEVICE_ALLOCATOR = 0
    ORT_ARENA_ALLOCATOR = 1


class ArenaExtendStrategy(enum.IntEnum):
    kNextPowerOfTwo = 0
    kSameAsRequested = 1


class OrtMemType(enum.IntEnum):
    CPU_INPUT = -2
    CPU_OUTPUT = -1
    CPU = -1
    DEFAULT = 0


class OrtSparseFormat(enum.IntEnum):
    ORT_SPARSE_UNDEFINED = 0
    ORT_SPARSE_COO = 1
    ORT_SPARSE_CSRC = 2
    ORT_SPARSE_BLOCK_SPARSE = 4


class OrtMemoryInfoDeviceType(enum.IntEnum):
    CPU = 0
    GPU = 1
    FPGA = 2
    NPU = 3


class OrtHardwareDeviceType(enum.IntEnum):
    CPU = 0
    GPU = 1
    NPU = 2


class OrtDeviceMemoryType(enum.IntEnum):
    DEFAULT = 0
    HOST_ACCESSIBLE = 5


class OrtDeviceVendorId(enum.IntEnum):
    NONE = 0
    AMD = 0x1002
    NVIDIA = 0x10DE
    ARM = 0x13B5
    MICROSOFT = 0x1414
    HUAWEI = 0x19E5
    QUALCOMM = 0x5143
    INTEL = 0x8086


class OrtExecutionProviderDevicePolicy(enum.IntEnum):
    DEFAULT = 0
    PREFER_CPU = 1
    PREFER_NPU = 2
    PREFER_GPU = 3
    MAX_PERFORMANCE = 4
    MAX_EFFICIENCY = 5
    MIN_OVERALL_POWER = 6


class OrtCompileApiFlags(enum.IntFlag):
    NONE = 0
    ERROR_IF_NO_NODES_COMPILED = 1
    ERROR_IF_OUTPUT_FILE_EXISTS = 2


class OrtArenaCfg:
    """Accepted: memory is planned when compiling."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.arguments = args or kwargs


class OrtMemoryInfo:
    """Where memory is: on the CPU."""

    def __init__(self, name: str, allocator: Any, device_id: int, mem_type: Any) -> None:
        self.name, self.allocator_type = name, allocator
        self.device_id, self.mem_type = device_id, mem_type
        self.device_mem_type, self.device_vendor_id = OrtDeviceMemoryType.DEFAULT, 0


def cpu_memory() -> OrtMemoryInfo:
    return OrtMemoryInfo("Cpu", OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, OrtMemType.DEFAULT)


class NotFound(_errors.Error):
    """Something named is not there."""


class ModelLoadCanceled(_errors.Error):
    """Loading was ended by the caller."""


class ModelRequiresCompilation(_errors.Error):
    """The model has to be compiled for a device first."""


def _lacks(what: str) -> NoReturn:
    raise _errors.NotImplemented(f"enfold has no {what}")


class SparseTensor:
    def __init__(self, *args: Any) -> None:
        _lacks("sparse tensors")

    @staticmethod
    def sparse_coo_from_numpy(*args: Any) -> NoReturn:
        _lacks("sparse tensors")

    @staticmethod
    def sparse_csr_from_numpy(*args: Any) -> NoReturn:
        _lacks("sparse tensors")


def _refused(name: str, what: str) -> type:
    """A class that cannot be made."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        _lacks(what)

    return type(
        name, (), {"__init__": init, "__module__": __name__, "__doc__": f"Refused: {what}."}
    )


LoraAdapter = _refused("LoraAdapter", "adapters")
AdapterFormat = _refused("AdapterFormat", "adapters")
ModelCompiler = _refused("ModelCompiler", "compilation for execution providers")
ModelPackage = _refused("ModelPackage", "model packages")
ModelPackageComponentContext = _refused("ModelPackageComponentContext", "model packages")
ModelPackageContext = _refused("ModelPackageContext", "model packages")
ModelPackageOptions = _refused("ModelPackageOptions", "model packages")
ModelPackageWriteMode = _refused("ModelPackageWriteMode", "model packages")
OrtEpAssignedNode = _refused("OrtEpAssignedNode", "execution providers of other libraries")
OrtEpAssignedSubgraph = _refused("OrtEpAssignedSubgraph", "execution providers of other libraries")
OrtEpContextData = _refused("OrtEpContextData", "compilation for execution providers")
OrtEpContextDataBuffer = _refused("OrtEpContextDataBuffer", "compilation for execution providers")
OrtEpDevice = _refused("OrtEpDevice", "execution providers of other libraries")
OrtExternalInitializerInfo = _refused("OrtExternalInitializerInfo", "writers of other models")
OrtHardwareDevice = _refused("OrtHardwareDevice", "devices but the CPU")
OrtSyncStream = _refused("OrtSyncStream", "devices but the CPU")


def _refused_function(what: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> None:
        _lacks(what)

    return refuse


# Functions of onnxruntime's native module alone.
NATIVE = {
    name: _refused_function(f"{name}()")
    for name in (
        "get_all_operator_schema",
        "get_all_opkernel_def",
        "get_compatibility_info_from_model",
        "get_compatibility_info_from_model_bytes",
        "get_hardware_device_ep_incompatibility_details",
        "get_model_compatibility_for_ep_devices",
        "get_registered_ep_kernel_defs",
        "get_session_initializer",
        "pack_fp4_weights_for_cuda_moe_gemm",
        "quantize_matmul_2bits",
        "quantize_matmul_4bits",
        "quantize_matmul_8bits",
        "quantize_matmul_bnb4",
        "quantize_qdq_matmul_2bits",
        "quantize_qdq_matmul_4bits",
    )
}


def get_hardware_devices() -> list[Any]:
    return []


def get_default_session_options() -> session.SessionOptions:
    return session.SessionOptions()


def register_execution_provider_library(*args: Any) -> NoReturn:
    _lacks("execution providers of other libraries")


def unregister_execution_provider_library(*args: Any) -> NoReturn:
    _lacks("execution providers of other libraries")


def get_ep_devices() -> list[Any]:
    return []


def create_and_register_allocator(*args: Any) -> None:
    """Accepted: memory is planned when compiling."""


def create_and_register_allocator_v2(*args: Any) -> None:
    """Accepted: memory is planned when compiling."""


def set_global_thread_pool_sizes(*args: Any) -> None:
    """Accepted: each session has its threads."""


def set_default_logger_callback(*args: Any) -> None:
    """Accepted: nothing is logged."""


def has_collective_ops() -> bool:
    return False


def print_debug_info() -> None:
    print(f"enfold {_core.version()} in the place of onnxruntime")


def import_capi_exception() -> None:
    """Nothing kept the module from loading."""


def get_ort_device_type(device_type: str, *args: Any) -> int:
    if device_type.lower() != "cpu":
        raise ValueError(f"there is no device '{device_type}', only 'cpu'")
    return session.OrtDevice.cpu()


def check_and_normalize_provider_args(
    providers: Sequence[Any] | None,
    provider_options: Sequence[Mapping[str, Any]] | None,
    available_provider_names: Sequence[str],
) -> tuple[list[str], list[dict[str, str]]]:
    """Names and options of the providers that are available."""
    listed = list(providers or [])
    options = list(provider_options or [{}] * len(listed))
    if len(options) != len(listed):
        raise ValueError("'providers' and 'provider_options' should be the same length")
    names, given = [], []
    for entry, extra in zip(listed, options):
        name, own = entry if isinstance(entry, (tuple, list)) else (entry, extra)
        if name in available_provider_names and name not in names:
            names.append(name)
            given.append({key: str(value) for key, value in dict(own).items()})
    return names, given
