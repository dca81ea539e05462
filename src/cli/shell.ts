/** The word as a POSIX shell reads it back. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line from its words and flags; a flag that is undefined is left out, a list repeats its flag. */
export function commandLine(
  words: readonly string[],
  flags: Readonly<Record<string, string | readonly string[] | boolean | undefined>>,
): string {
  const given = Object.entries(flags).flatMap(([flag, value]) => {
    if (value === undefined || value === false) return [];
    if (value === true) return [flag];
    return (typeof value === 'string' ? [value] : value).flatMap((item) => [flag, item]);
  });
  return [...words, ...given].map(shellWord).join(' ');
}
