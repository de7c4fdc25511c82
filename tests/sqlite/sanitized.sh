# sanitize EXTENSION FOLDER, for scripts that run the sqlite3 shell: puts one that can load the extension
# first in PATH, where that was built with a sanitizer. It needs the sanitizer's runtime from the beginning,
# which other programs do not bear (dash ends with the thread sanitizer's).
sanitize() {
    local sanitizer
    sanitizer=$(nm -D "$1" | sed -n 's/.* U __\([at]san\)_init$/\1/p')
    [ -n "$sanitizer" ] || return 0
    cat >"$2/sqlite3" <<END
#!/bin/bash
LD_PRELOAD=$(${CC:-cc} -print-file-name="lib$sanitizer.so") ASAN_OPTIONS=detect_leaks=0 exec $(command -v sqlite3) "\$@"
END
    chmod +x "$2/sqlite3"
    PATH=$2:$PATH
}
