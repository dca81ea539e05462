import type { KeySearch } from './list-filter.js';

const OPTION = /^(not|exact|escape|name|alias):/;

/**
 * A search as clients write it: options in any order, then the text. After `escape:` all is text. Null for nothing to
 * search. One trailing comma goes: a client appends it.
 */
export function parseSearch(raw: string | undefined): KeySearch | null {
  let rest = (raw ?? '').trim().replace(/,$/, '');
  let [not, exact] = [false, false];
  const scopes = new Set<'name' | 'alias'>();
  for (let option = OPTION.exec(rest); option !== null; option = OPTION.exec(rest)) {
    rest = rest.slice(option[0].length);
    if (option[1] === 'escape') break;
    if (option[1] === 'not') not = true;
    else if (option[1] === 'exact') exact = true;
    else scopes.add(option[1] as 'name' | 'alias');
  }
  return rest === '' ? null : { text: rest, not, exact, scopes: [...scopes] };
}
