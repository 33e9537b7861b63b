# SPDX-License-Identifier: Apache-2.0
"""SCons script of the platform: compile, link, upload through OpenOCD."""

from os.path import join

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()

cpu_flags = board.get("build.cpu_flags")

object_cache = env.GetProjectOption("custom_object_cache", "")
if object_cache:
    env.CacheDir(object_cache)

env.Replace(
    AR="arm-none-eabi-gcc-ar",
    AS="arm-none-eabi-gcc",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    LINK="arm-none-eabi-gcc",
    OBJCOPY="arm-none-eabi-objcopy",
    RANLIB="arm-none-eabi-gcc-ranlib",
    SIZETOOL="arm-none-eabi-size",
    ARFLAGS=["rc"],
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    SIZEPROGREGEXP=r"^(?:\.isr_vector|\.text|\.ARM\.exidx|\.data)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.stack|\.data|\.bss|\.noinit)\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    LDSCRIPT_PATH=join("$PROJECT_DIR", "linker.ld"),
)
env.Append(
    CCFLAGS=cpu_flags,
    CXXFLAGS=env.GetProjectOption("custom_cxx_flags", "").split(),
    CPPPATH=["$PROJECT_INCLUDE_DIR"],
    LINKFLAGS=[
        *cpu_flags,
        "-nostartfiles",
        "--specs=nano.specs",
        "--specs=nosys.specs",
        "-Wl,--gc-sections",
        "-Wl,-Map," + join("$BUILD_DIR", "firmware.map"),
    ],
    LIBS=["c", "m", "gcc"],
    BUILDERS={
        "ElfToBin": Builder(
            action=env.VerboseAction("$OBJCOPY -O binary $SOURCES $TARGET", "Building $TARGET"),
            suffix=".bin",
        )
    },
)

if "nobuild" in COMMAND_LINE_TARGETS:
    elf = join("$BUILD_DIR", "firmware.elf")
else:
    elf = env.BuildProgram()
    env.Depends(elf, env["LDSCRIPT_PATH"])
AlwaysBuild(env.Alias("nobuild", elf))
program = env.Alias("buildprog", elf)

# Which of several probes: comes from the hardware map.
probe = env.GetProjectOption("custom_probe_serial", "")
select = ["-c", f"hla_serial {probe}"] if probe else []
env.Replace(
    UPLOADER="openocd",
    UPLOADERFLAGS=[
        "-f",
        f"board/{board.get('debug.openocd_board', 'none')}.cfg",
        *select,
        "-c",
        "program {$SOURCE} verify reset; shutdown",
    ],
    UPLOADCMD='"$UPLOADER" $UPLOADERFLAGS',
)
env.AddPlatformTarget(
    "upload", elf, [env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE")], "Upload"
)

Default([program])
