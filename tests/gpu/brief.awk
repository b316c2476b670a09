# Of a contract program's output: of each failed case its first lines; then how many passed, were refused, failed.
/^\[ RUN/ { name = $4; n = 0; next }
/^\[  FAILED  \] .*\[/ && name { printf "FAIL %s %s\n", name, $NF; for (i = 0; i < n && i < 7; i++) print "     " line[i]; name = ""; bad++; next }
/^\[       OK/ { good++; name = ""; next }
/^\[ / || /^=/ { next }
name { line[n++] = substr($0, 1, 180) }
END { printf "ok %d, failed %d\n", good, bad }
