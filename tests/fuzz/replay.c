/* Runs a fuzz target once over each file of the folders named, and over the empty input: with any compiler,
 * under any sanitizer, so the inputs that once mattered are tried again in every build. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return -1;
    uint8_t *data = NULL;
    size_t size = 0, got = 0;
    do {
        uint8_t *larger = realloc(data, size + 65536);
        if (larger == NULL) abort();
        data = larger;
        got = fread(data + size, 1, 65536, file);
        size += got;
    } while (got > 0);
    int failed = ferror(file);
    fclose(file);

    uint8_t *exact = malloc(size > 0 ? size : 1); /* its own block, so that a read past the end is seen */
    if (exact == NULL) abort();
    for (size_t i = 0; i < size; i++) exact[i] = data[i];
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder == NULL) {
            fprintf(stderr, "%s: cannot be opened\n", argv[i]);
            return 1;
        }
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            if (entry->d_name[0] == '.') continue;
            char path[4096];
            if (snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name) >= (int)sizeof path) continue;
            if (replay_file(path) != 0) {
                fprintf(stderr, "%s: cannot be read\n", path);
                return 1;
            }
            count++;
        }
        closedir(folder);
    }
    printf("replayed %zu inputs\n", count);
    return 0;
}
