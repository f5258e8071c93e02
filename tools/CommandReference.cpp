// Completions and the manual, written from the options that the subcommands declare.
#include "tools/CommandReference.h"

#include "tools/Help.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace enfold::tool {
namespace {

/// The options that are written with dashes.
std::vector<const CLI::Option*> dashedOptionsOf(const CLI::App& app) {
  std::vector<const CLI::Option*> options = optionsOf(app);
  std::erase_if(options, [](const CLI::Option* option) { return !option->nonpositional(); });
  return options;
}

std::vector<std::string> allNamesOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : dashedOptionsOf(app))
    std::ranges::move(namesOf(*option), std::back_inserter(names));
  return names;
}

bool takesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::string replaced(std::string text, char from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, 1, to);
  return text;
}

/// Words of options, then files; after an option of few words, these.
std::string bashScript(const CLI::App& program) {
  std::string commands;
  for (const CLI::App* command : program.get_subcommands({})) {
    std::string choices;
    for (const CLI::Option* option : dashedOptionsOf(*command))
      if (const auto words = choicesOf(*option); !words.empty())
        choices += fmt::format("        {}) words='{}'; return_words=1 ;;\n",
                               fmt::join(namesOf(*option), "|"), fmt::join(words, " "));
    if (!choices.empty()) choices = "      case $previous in\n" + choices + "      esac\n";
    commands += fmt::format("    {})\n      words='{}'\n{}      ;;\n", command->get_name(),
                            fmt::join(allNamesOf(*command), " "), choices);
  }
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands({})) names.push_back(command->get_name());
  return fmt::format(R"(# Completion of enfold's words in bash.
_enfold() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words= return_words=
  case ${{COMP_WORDS[1]}} in
{}    *) words='{} {}' ;;
  esac
  if [[ -z $return_words && $COMP_CWORD -gt 1 && $word != -* ]]; then
    COMPREPLY=($(compgen -f -- "$word"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}}
complete -o filenames -F _enfold enfold
)",
                     commands, fmt::join(names, " "), fmt::join(allNamesOf(program), " "));
}

/// Quoted for zsh's _arguments and _describe, which read brackets and colons themselves.
std::string zshQuoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':') quoted += '\\';
    quoted += c;
  }
  return replaced(quoted, '\'', "'\\''");
}

std::string zshScript(const CLI::App& program) {
  std::string names, commands;
  for (const CLI::App* command : program.get_subcommands({})) {
    names +=
        fmt::format("    '{}:{}'\n", command->get_name(), zshQuoted(command->get_description()));
    std::string specs;
    for (const CLI::Option* option : dashedOptionsOf(*command)) {
      std::string value;
      if (const auto words = choicesOf(*option); !words.empty())
        value = fmt::format(":word:({})", fmt::join(words, " "));
      else if (takesValue(*option))
        value = ":value:_files";
      for (const std::string& name : namesOf(*option))
        specs += fmt::format(" \\\n        '*{}[{}]{}'", name, zshQuoted(option->get_description()),
                             value);
    }
    commands += fmt::format("    {}) _arguments{} \\\n        '*:file:_files' ;;\n",
                            command->get_name(), specs);
  }
  return fmt::format(R"(#compdef enfold
# Completion of enfold's words in zsh.
_enfold() {{
  local -a commands=(
{}  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
{}  esac
}}
# The file is the function itself where zsh finds it in a folder of functions.
if [[ ${{funcstack[1]}} == _enfold ]]; then _enfold "$@"; else compdef _enfold enfold; fi
)",
                     names, commands);
}

std::string fishQuoted(const std::string& text) { return replaced(text, '\'', "\\'"); }

std::string fishScript(const CLI::App& program) {
  std::string text = "# Completion of enfold's words in fish.\n";
  for (const CLI::App* command : program.get_subcommands({}))
    text += fmt::format("complete -c enfold -n __fish_use_subcommand -f -a {} -d '{}'\n",
                        command->get_name(), fishQuoted(command->get_description()));
  for (const CLI::App* command : program.get_subcommands({}))
    for (const CLI::Option* option : dashedOptionsOf(*command)) {
      text += fmt::format("complete -c enfold -n '__fish_seen_subcommand_from {}'",
                          command->get_name());
      for (const std::string& name : option->get_snames()) text += " -s " + name;
      for (const std::string& name : option->get_lnames()) text += " -l " + name;
      if (const auto words = choicesOf(*option); !words.empty())
        text += fmt::format(" -x -a '{}'", fmt::join(words, " "));
      else if (takesValue(*option))
        text += " -r";
      text += fmt::format(" -d '{}'\n", fishQuoted(option->get_description()));
    }
  return text;
}

/// Text of a manual page: dashes and backslashes as typed, no line that begins like a request.
std::string roff(const std::string& text) {
  std::string safe = replaced(replaced(text, '\\', "\\e"), '-', "\\-");
  if (!safe.empty() && (safe[0] == '.' || safe[0] == '\'')) safe.insert(0, "\\&");
  return replaced(safe, '\n', "\n.br\n");
}

std::string roffOptions(const CLI::App& app) {
  std::string text;
  std::vector<std::string> groups = app.get_groups();
  if (app.get_parent()) groups.emplace_back(kForAllCommands);
  for (const std::string& group : groups) {
    std::string rows;
    for (const CLI::Option* option : optionsOf(app)) {
      if (option->get_group() != group) continue;
      const std::string value = valueText(*option);
      rows += fmt::format(".TP\n.B {}{}\n{}\n", roff(namesText(*option)),
                          value.empty() ? "" : " \\fI" + roff(value) + "\\fR",
                          roff(option->get_description()));
    }
    if (!rows.empty()) text += fmt::format(".SS {}\n{}", roff(group), rows);
  }
  return text;
}

} // namespace

std::string completionScript(const CLI::App& program, const std::string& shell) {
  if (shell == "zsh") return zshScript(program);
  return shell == "fish" ? fishScript(program) : bashScript(program);
}

std::string manualPage(const CLI::App& program, const CLI::App* subcommand) {
  const CLI::App& app = subcommand ? *subcommand : program;
  const std::string name = subcommand ? "enfold-" + subcommand->get_name() : "enfold";
  const std::string summary = app.get_description();
  std::string text = fmt::format(".TH {} 1\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B enfold",
                                 replaced(name, '-', "\\-"), roff(name), roff(summary));
  if (subcommand) {
    text += " " + subcommand->get_name();
    for (const CLI::Option* option : app.get_options())
      if (option->get_positional()) text += fmt::format("\n.I {}", roff(option->get_name()));
    text += "\n[\\fIoptions\\fR]\n.SH OPTIONS\n" + roffOptions(app);
    return text + ".SH SEE ALSO\n.BR enfold (1)\n";
  }
  text += " \\fIcommand\\fR [\\fIoptions\\fR]\n.SH COMMANDS\n";
  std::vector<std::string> pages;
  for (const CLI::App* command : program.get_subcommands({})) {
    text += fmt::format(".TP\n.B {}\n{}\n", command->get_name(), roff(command->get_description()));
    pages.push_back(fmt::format(".BR enfold\\-{} (1)", command->get_name()));
  }
  text += ".SH OPTIONS\n" + roffOptions(program);
  text += fmt::format(".SH NOTES\n{}\n.SH SEE ALSO\n{}\n", roff(program.get_footer()),
                      fmt::join(pages, ",\n"));
  return text;
}

} // namespace enfold::tool
