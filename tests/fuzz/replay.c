/* replay.c -- runs a fuzzer's function over the files named: the corpus, without libFuzzer.
 *
 * Prints one TAP line per file. A crash is the process's end, as it is under a fuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_BYTES_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    uint8_t *data = malloc(INPUT_BYTES_MAX);

    if (data == NULL)
        return 1;
    for (int i = 1; i < argc; i++) {
        FILE    *f = fopen(argv[i], "rb");
        size_t   len = f != NULL ? fread(data, 1, INPUT_BYTES_MAX, f) : 0;
        uint8_t *exact = malloc(len == 0 ? 1 : len);    /* so that a read past the end is seen */
        int      is_bad = f == NULL || ferror(f) || exact == NULL;

        if (f != NULL)
            fclose(f);
        if (is_bad) {
            printf("not ok %d - %s cannot be read\n", i, argv[i]);
            free(exact);
            continue;
        }
        for (size_t b = 0; b < len; b++)
            exact[b] = data[b];
        LLVMFuzzerTestOneInput(exact, len);
        free(exact);
        printf("ok %d - %s\n", i, argv[i]);
    }
    printf("1..%d\n", argc - 1);
    free(data);
    return 0;
}
