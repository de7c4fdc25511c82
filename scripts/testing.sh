# shellcheck shell=bash
# How scripts/test and scripts/portability build and run test programs and count what they say. Source
# it after lib.sh.

jobs=${JOBS:-$(nproc)}
passed=0 failed=0 skipped=()

# count_tests LOG CODE: adds to passed and failed what a program's log says: cmocka's summary, the
# lines of pg_regress (plain up to PostgreSQL 15, TAP from 16 on) or those of our scripts. A program
# that counts nothing is one test; one that ends badly without a failed test counts as one failed.
count_tests() {
    local counted
    counted=$(awk -v code="$2" '
        /^\[  PASSED  \] [0-9]+ test/          { good += $4 }
        /^\[  FAILED  \] [0-9]+ test/          { bad += $4 }
        /^(test)? +[^ ]+ +\.\.\. +ok( |$)/     { good++ }
        /^(test)? +[^ ]+ +\.\.\. +FAILED/      { bad++ }
        /^ok [0-9]+ +[-+] /                    { good++ }
        /^not ok [0-9]+ +[-+] /                { bad++ }
        /^ok: /                                { good++ }
        /^FAILED: /                            { bad++ }
        END {
            if (code != 0 && !bad) bad = 1
            if (!good && !bad) good = 1
            print good + 0, bad + 0
        }' "$1")
    good=${counted% *} bad=${counted#* }
    passed=$((passed + good)) failed=$((failed + bad))
}

# show_failure LOG: without what went well. Where several programs ran (see each), those that failed.
show_failure() {
    awk '
        function flush() { if (bad) kept = kept section; all = all section; section = bad = "" }
        /^== /                              { flush() }
        /^\[ RUN      \]|^\[       OK \]/ { next }
        /^   exit status /                   { bad = 1 }
                                            { section = section "    | " $0 "\n" }
        END                                 { flush(); printf "%s", kept ? kept : all }' "$1" | tail -n 80
}

# run NAME COMMAND...: one line for a test program, or for several that run as one.
run() {
    local name=$1 log=$logs/${1//[^A-Za-z0-9]/-}.log start code=0 good bad
    shift
    start=$(milliseconds)
    mkdir -p $logs
    "$@" >"$log" 2>&1 </dev/null || code=$?
    count_tests "$log" $code
    if [ $code -eq 0 ] && [ "$bad" -eq 0 ]; then
        printf '    ok    %-48s %5d passed  %8s\n' "$name" "$good" "$(seconds_since "$start")"
        sed -n 's/^skip\(ped\)\?: /          not run: /p' "$log" | sort -u
        return
    fi
    printf '    FAIL  %-48s %5d passed, %d failed  %s\n' "$name" "$good" "$bad" "$(seconds_since "$start")"
    show_failure "$log"
    say "    (exit status $code; all of it: $log)"
}

skip() {
    say "    not run: $1: $2"
    skipped+=("$1: $2")
}

# build NAME MAKE-ARGUMENT...: what does not build ends the run.
build() {
    local name=$1 start
    shift
    start=$(milliseconds)
    logged "$logs/build-${name//[^A-Za-z0-9]/-}.log" make -s -j "$jobs" "$@" || fail "$name does not build"
    printf '    built %-48s %s\n' "$name" "$(seconds_since "$start")"
}

# The test programs of a build folder, as make names them.
unit_programs() { for f in tests/unit/test_*.c; do echo "$1/tests/$(basename "$f" .c)"; done; }
sqlite_programs() {
    for f in tests/sqlite/test_*.c; do echo "$1/tests/sqlite/$(basename "$f" .c)"; done
}

# each PROGRAM...: runs all of them, even after one that fails; by the command in `under`, if any.
under=()
each() {
    local program status code=0
    for program in "$@"; do
        echo "== $program"
        status=0
        "${under[@]}" "$program" || status=$?
        [ $status -eq 0 ] || code=1
        [ $status -eq 0 ] || echo "   exit status $status"
    done
    return $code
}
