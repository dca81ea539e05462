import type { Command } from 'commander';
import type { CliContext } from './context.js';
import { leaf } from './options.js';

/** One command of the tree: the words that lead to it and the words that may follow. */
export interface CompletionNode {
  readonly path: string;
  readonly words: readonly string[];
}

export function addCompletion(program: Command, ctx: CliContext): void {
  leaf(
    program,
    'completion',
    'Print completions for a shell',
    'source <(kp completion bash)',
    'kp completion zsh > ~/.zfunc/_kp',
    'kp completion fish > ~/.config/fish/completions/kp.fish',
  )
    .argument('<shell>', 'bash, zsh or fish')
    .action((shell: string, _options: object, command: Command) => {
      const script = SCRIPTS[shell];
      if (!script) command.error(`there are completions for bash, zsh and fish, not for ${shell}`);
      else ctx.out(script(completionTree(program)));
    });
}

/** Every command of the program with the subcommands and options that it shows in its help. */
export function completionTree(command: Command, path = command.name()): CompletionNode[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command).filter((child) => child.name() !== 'help');
  const names = children.flatMap((child) => [child.name(), ...child.aliases()]);
  const options = help.visibleOptions(command).flatMap(({ long }) => (long ? [long] : []));
  return [
    { path, words: [...names, ...options] },
    ...children.flatMap((child) =>
      [child.name(), ...child.aliases()].flatMap((name) => completionTree(child, `${path} ${name}`)),
    ),
  ];
}

const SCRIPTS: Readonly<Record<string, (tree: readonly CompletionNode[]) => string>> = { bash, zsh, fish };

/** Follows the words before the cursor down the tree; a word that is no command is an argument and changes nothing. */
function walk(tree: readonly CompletionNode[]): string {
  const paths = tree.slice(1).map(({ path }) => `"${path}"`);
  return `case "$at $word" in ${paths.join('|')}) at="$at $word";; esac`;
}

function offers(tree: readonly CompletionNode[], offer: (words: string) => string): string {
  return tree.map(({ path, words }) => `    "${path}") ${offer(words.join(' '))};;`).join('\n');
}

function bash(tree: readonly CompletionNode[]): string {
  return `# kp completions for bash: source <(kp completion bash)
_kp() {
  local at=kp word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    ${walk(tree)}
  done
  word=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  case "$at" in
${offers(tree, (words) => `COMPREPLY=($(compgen -W "${words}" -- "$word"))`)}
  esac
}
complete -o default -F _kp kp`;
}

function zsh(tree: readonly CompletionNode[]): string {
  return `#compdef kp
# kp completions for zsh: kp completion zsh > ~/.zfunc/_kp, with that directory in fpath
_kp() {
  local at=kp word i
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    ${walk(tree)}
  done
  case "$at" in
${offers(tree, (words) => `compadd -- ${words}`)}
  esac
  _files
}
if [[ $funcstack[1] == _kp ]]; then _kp "$@"; else compdef _kp kp; fi`;
}

function fish(tree: readonly CompletionNode[]): string {
  const lines = tree.flatMap(({ path, words }) => [
    `complete -c kp -n '__kp_at "${path}"' -a '${words.filter((word) => !word.startsWith('-')).join(' ')}'`,
    ...words
      .filter((word) => word.startsWith('--'))
      .map((word) => `complete -c kp -n '__kp_at "${path}"' -l ${word.slice(2)}`),
  ]);
  return `# kp completions for fish: kp completion fish > ~/.config/fish/completions/kp.fish
function __kp_at
  set -l at kp
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${tree
        .slice(1)
        .map(({ path }) => `"${path}"`)
        .join(' ')}
        set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join('\n')}`;
}
