/* completion_bash.c -- for bash, without the bash-completion package.
 *
 * The script walks the words before the cursor to find out which command it is, then asks two
 * `case` tables made from the rows: what may follow an option, and what may stand as a word. bash
 * cuts `--output=json` into three words at the `=`; they are looked at as one. */
#include "taskd/ctl/cli/completion.h"

/* A reply of words, files, or of what a command of ours prints. */
static void put_choice(const struct choice *c, struct buf *out)
{
    if (c == NULL)
        buf_append_text(out, "return 0");
    else if (c->is_file)
        buf_append_text(out, "COMPREPLY=($(compgen -f -- \"$cur\"))");
    else if (c->ask != NULL)
        buf_printf(out, "COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" %s 2>/dev/null)\" -- "
                        "\"$cur\"))",
                   c->ask);
    else
        buf_printf(out, "COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))", c->words);
    buf_append_text(out, " ;;\n");
}

static const char *command_pattern(const struct program *p, const struct option_row *o)
{
    return o->command == COMMAND_ANY ? "*" : p->commands[o->command].name;
}

static void put_pattern(const struct program *p, const struct option_row *o, struct buf *out)
{
    const char *command = command_pattern(p, o);
    const char *quote = o->command == COMMAND_ANY ? "" : "'";

    buf_printf(out, "%s%s%s:--%s", quote, command, quote, o->name);
    if (o->letter != '\0')
        buf_printf(out, "|%s%s%s:-%c", quote, command, quote, o->letter);
}

static void put_values(const struct program *p, struct buf *out)
{
    buf_printf(out, "# What may follow the option $2 of the command $1? Fails where it takes no "
                    "value.\n"
               "_%s_value() {\n    case \"$1:$2\" in\n", p->name);
    for (size_t i = 0; i < p->option_count; i++) {
        const struct option_row *o = &p->options[i];

        if (o->value == NULL)
            continue;
        buf_append_text(out, "        ");
        put_pattern(p, o, out);
        buf_append_text(out, ") ");
        put_choice(o->choice, out);
    }
    buf_append_text(out, "        *) return 1 ;;\n    esac\n}\n\n");
}

static void put_options(const struct program *p, struct buf *out)
{
    buf_printf(out, "_%s_options() {\n    local options='--help", p->name);
    for (size_t i = 0; i < p->option_count; i++) {
        if (p->options[i].command == COMMAND_ANY)
            buf_printf(out, " --%s", p->options[i].name);
    }
    buf_append_text(out, "'\n    case \"$1\" in\n");
    for (size_t c = 0; c < p->command_count; c++) {
        bool has_any = false;

        for (size_t i = 0; i < p->option_count; i++) {
            if (p->options[i].command != (int)c)
                continue;
            if (!has_any)
                buf_printf(out, "        '%s') options+='", p->commands[c].name);
            has_any = true;
            buf_printf(out, " --%s", p->options[i].name);
        }
        buf_append_text(out, has_any ? "' ;;\n" : "");
    }
    buf_append_text(out, "    esac\n    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n}\n\n");
}

/* The members of a group, or (`group` empty) what may come first. */
static void put_names(const struct program *p, struct slice group, struct buf *out)
{
    struct slice inner = { NULL, 0 };
    size_t       at = 0;

    for (size_t i = 0; i < p->command_count; i++) {
        struct slice rest = slice_of(p->commands[i].name);
        struct slice first = slice_cut(&rest, ' ');

        if (p->commands[i].group == NULL)
            continue;
        if (group.len > 0 ? slice_eq(first, group) && rest.data != NULL : rest.data == NULL)
            buf_printf(out, "%s ", command_last_word(&p->commands[i]));
    }
    while (group.len == 0 && completion_next_group(p, &at, &inner))
        buf_printf(out, "%.*s ", SLICE_ARG(inner));
}

static void put_words(const struct program *p, struct buf *out)
{
    struct slice group = { NULL, 0 };
    size_t       at = 0;

    buf_printf(out, "# What may stand as a word of the command $1?\n_%s_word() {\n    case \"$1\" "
                    "in\n"
               "        '') COMPREPLY=($(compgen -W \"", p->name);
    put_names(p, (struct slice){ NULL, 0 }, out);
    buf_append_text(out, "\" -- \"$cur\")) ;;\n");
    for (size_t i = 0; i < p->command_count; i++) {
        if (p->commands[i].choice == NULL)
            continue;
        buf_printf(out, "        '%s') ", p->commands[i].name);
        put_choice(p->commands[i].choice, out);
    }
    buf_append_text(out, "    esac\n    case \"$1\" in\n");
    while (completion_next_group(p, &at, &group)) {
        buf_printf(out, "        '%.*s') [ \"$2\" = 0 ] && COMPREPLY+=($(compgen -W \"",
                   SLICE_ARG(group));
        put_names(p, group, out);
        buf_append_text(out, "\" -- \"$cur\")) ;;\n");
    }
    buf_append_text(out, "    esac\n}\n\n");
}

static void put_is_command(const struct program *p, struct buf *out)
{
    struct slice group = { NULL, 0 };
    size_t       at = 0;

    buf_printf(out, "_%s_is_command() {\n    case \"$1\" in\n        ", p->name);
    for (size_t i = 0; i < p->command_count; i++)
        buf_printf(out, "%s'%s'", i > 0 ? "|" : "", p->commands[i].name);
    while (completion_next_group(p, &at, &group))
        buf_printf(out, "|'%.*s'", SLICE_ARG(group));
    buf_append_text(out, ") return 0 ;;\n    esac\n    return 1\n}\n\n");
}

static const char MAIN[] =
    "_%1$s() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} command='' option='' words=0 i word\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [ \"$word\" = '=' ]; then\n"
    "            continue\n"
    "        elif [ -n \"$option\" ]; then\n"
    "            option=''\n"
    "        elif [[ $word == -* ]]; then\n"
    "            _%1$s_value \"$command\" \"$word\" >/dev/null && option=$word\n"
    "            COMPREPLY=()\n"
    "        elif [ $words = 0 ] && _%1$s_is_command \"${command:+$command }$word\"; then\n"
    "            command=${command:+$command }$word\n"
    "        else\n"
    "            words=$((words + 1))\n"
    "        fi\n"
    "    done\n"
    "    [ \"$cur\" = '=' ] && cur=''\n"
    "    if [ -n \"$option\" ]; then\n"
    "        _%1$s_value \"$command\" \"$option\"\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        _%1$s_options \"$command\"\n"
    "    else\n"
    "        _%1$s_word \"$command\" $words\n"
    "    fi\n"
    "}\n"
    "complete -F _%1$s %1$s\n";

/* MAIN, with the program's name in the places that say so. */
static void put_main(const struct program *p, struct buf *out)
{
    struct slice rest = SLICE(MAIN);

    while (rest.len > 0) {
        const char *mark = strstr(rest.data, "%1$s");

        if (mark == NULL) {
            buf_append_slice(out, rest);
            return;
        }
        buf_append(out, rest.data, (size_t)(mark - rest.data));
        buf_append_text(out, p->name);
        rest = slice_from(rest, (size_t)(mark - rest.data) + 4);
    }
}

void completion_bash(const struct program *p, struct buf *out)
{
    buf_printf(out, "# Completion of %s for bash: source <(%s completion bash)\n\n", p->name,
               p->name);
    put_values(p, out);
    put_options(p, out);
    put_words(p, out);
    put_is_command(p, out);
    put_main(p, out);
}
