"""The programs of the fake phone's `/system/bin` that a computer lacks or that differ there.

Shell scripts, laid out as Android 11 prints things. `$CONDITIONS` is the folder of
`tests.phone.conditions`, where they read what the test has set.
"""

from pathlib import Path

GETPROP = """\
[ $# -eq 0 ] && exec sed 's/^\\([^=]*\\)=\\(.*\\)/[\\1]: [\\2]/' "$CONDITIONS/properties"
sed -n "s/^$1=//p" "$CONDITIONS/properties" | grep . || echo "${2-}"
"""

DUMPSYS = """\
case "$1" in
battery)
    charging=$(cat "$CONDITIONS/charging")
    [ "$charging" = true ] && status=2 || status=3
    cat <<END
Current Battery Service state:
  AC powered: false
  USB powered: $charging
  Wireless powered: false
  Max charging current: 500000
  Max charging voltage: 5000000
  Charge counter: 2322000
  status: $status
  health: 2
  present: true
  level: $(cat "$CONDITIONS/battery_level")
  scale: 100
  voltage: 4245
  temperature: $(cat "$CONDITIONS/battery_tenths_c")
  technology: Li-ion
END
    ;;
thermalservice)
    status=$(cat "$CONDITIONS/thermal_status")
    if [ "$status" = null ]; then
        echo "Can't find service: thermalservice" >&2
        exit 0
    fi
    cat <<END
IsStatusOverride: false
ThermalEventListeners:
	callbacks: 1
	killed: false
	broadcasts count: -1
ThermalStatusListeners:
	callbacks: 2
	killed: false
	broadcasts count: -1
Thermal Status: $status
Cached temperatures:
	Temperature{mValue=30.1, mType=2, mName=battery, mStatus=$status}
HAL Ready: true
END
    ;;
power)
    [ "$(cat "$CONDITIONS/awake")" = true ] && state=Awake || state=Asleep
    cat <<END
POWER MANAGER (dumpsys power)

Power Manager State:
  mDirty=0x0
  mWakefulness=$state
  mWakefulnessChanging=false
  mIsPowered=$(cat "$CONDITIONS/charging")
  mBatteryLevel=$(cat "$CONDITIONS/battery_level")
  mStayOn=false
END
    ;;
*)
    echo "Can't find service: $1" >&2
    ;;
esac
"""

# Toybox reads the mask as bare hexadecimal digits; 0x is no digit to it.
TASKSET = """\
mask=$1
case "$mask" in
'' | *[!0-9a-fA-F]*)
    echo "taskset: bad mask '$mask'" >&2
    exit 1
    ;;
esac
shift
[ "$1" = true ] || echo "$mask" >> "$CONDITIONS/taskset"  # a look whether it works is no run
exec "$@"
"""

INPUT = """\
case "$1 $2" in
'keyevent 224' | 'keyevent KEYCODE_WAKEUP') echo true > "$CONDITIONS/awake" ;;
'keyevent 223' | 'keyevent KEYCODE_SLEEP') echo false > "$CONDITIONS/awake" ;;
esac
"""

SVC = """\
exit 0
"""

SETTINGS = """\
case "$1" in
get) cat "$CONDITIONS/setting.$2.$3" 2> /dev/null || echo null ;;
put) echo "$4" > "$CONDITIONS/setting.$2.$3" ;;
esac
"""

DF = """\
free=$(cat "$CONDITIONS/free_bytes")
[ "$free" = null ] && free=17179869184
total=52428800
available=$((free / 1024))
echo "Filesystem      1K-blocks     Used Available Use% Mounted on"
echo "/dev/block/dm-4 $total $((total - available)) $available" \\
    "$(((total - available) * 100 / total))% /data"
"""

PROGRAMS = {
    "getprop": GETPROP,
    "dumpsys": DUMPSYS,
    "taskset": TASKSET,
    "input": INPUT,
    "svc": SVC,
    "settings": SETTINGS,
    "df": DF,
}


def install_programs(folder: Path) -> None:
    """Write all programs into `folder`."""
    for name, script in PROGRAMS.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}")
        program.chmod(0o755)
