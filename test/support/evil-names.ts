/** Names that git takes for branches, and others would act on (threats D17, R1, R3, R7, R8). */
export const evilBranches = [
  ...["@(/etc/passwd)", "x".repeat(244)],
  // Options, and what shells, inis and server blocks read.
  ...["-rf", "--upload-pack=x", "$(id)", "`id`", "a;id", "a'b", 'a"b', "{a}", "a}b"],
  ...["%n%p", "%(socket)", "$(PATH)"],
  // What is somebody else's name, and letters that are not as they look.
  ...["refs/heads/x", "MAIN", "HEAD", "xn", "git", "other", "demo", "caf\u00e9", "cafe\u0301"],
];

/** These and more of their kinds. A repository can have all of them at once. */
export const allEvilBranches = [
  ...evilBranches,
  ...["--receive-pack=touch", "!a", "a,b", "a#b", "a&b", "a|b", "a>b", "a&b|c>d"],
  ...["Main", "master", "www", "localhost", "default"],
  "3f2a91c0123456789abcdef0123456789abcdef0",
  ...["\u00e9", "世界", "\u202eright-to-left"],
  ...["x".repeat(200), "x".repeat(240), "y/".repeat(60) + "y"],
];

/** No names of apps, by the number of their threat: what each has in it, and the name. */
export const evilAppNames = {
  P1: [
    ["a way up", "../x"],
    ["a way up, inside", "a/../b"],
    ["the folder above", ".."],
    ["the folder itself", "."],
    ["an absolute path", "/abs"],
    ["somebody's home", "~root/x"],
    ["a home", "~"],
    ["an empty part", "a//b"],
    ["a part that is the folder itself", "a/./b"],
    ["another system's path", "C:\\x"],
  ],
  // Endings. There is an app demo, and none that is called a.
  P2: [
    ["git's ending and a part, below an app", "demo.git/b"],
    ["git's ending and a way up to another app", "demo.git/../other"],
    ["git's ending inside, after an app", "demo.git.b"],
    ["git's ending and more", "demo.gitx"],
    ["git's ending alone", ".git"],
    ["git's ending twice, after an app", "demo.git.git"],
    ["git's ending and a part", "a.git/b"],
    ["git's ending and a way up", "a.git/../b"],
    ["git's ending inside", "a.git.b"],
    ["git's ending twice", "a.git.git"],
  ],
  // Escapes.
  P3: [
    ["an escaped way up, and on", "%2e%2e%2fx"],
    ["an escape of an escape of a way up", "%252e%252e%252fx"],
    ["an overlong escape of a way up", "%c0%ae%c0%ae/x"],
    ["an escaped backslash, and on", "..%5cx"],
    ["an escaped zero byte", "%00.git"],
    ["an escaped slash", "demo%2fx"],
    ["an escaped letter", "d%65mo"],
    ["an escaped way up", "%2e%2e%2f"],
    ["an escape of an escape", "%252e"],
    ["an overlong escape", "%c0%ae"],
    ["an escaped backslash", "..%5c"],
  ],
  // Options.
  P4: [
    ["an option", "-rf"],
    ["a long option", "--help"],
    ["an option of git's", "-c core.sshCommand=x"],
    ["an option with a value", "--upload-pack=x"],
    ["a hyphen alone", "-"],
  ],
  // What shells, inis, server blocks and terminals read, and what only looks like a name.
  P5: [
    ["a command after another", "a;id"],
    ["a substitution", "$(id)"],
    ["a backtick", "`id`"],
    ["a blank", "a b"],
    ["a tab", "a\tb"],
    ["a quote alone", "'"],
    ["a double quote alone", '"'],
    ["braces", "{}"],
    ["uWSGI's magic", "%n"],
    ["uWSGI's include", "@(x)"],
    ["an escape of the terminal alone", "\u001b[31m"],
    ["an emoji alone", "\u{1f600}"],
    ["a composed letter", "caf\u00e9"],
    ["a decomposed letter", "cafe\u0301"],
    ["a change of direction first", "\u202edemo"],
    ["a blank of no width, in an app's name", "de\u200bmo"],
    ["two hyphens", "a--b"],
    ["a hyphen last, after a letter", "a-"],
    ["a digit and a letter", "1a"],
    ["an underscore between letters", "a_b"],
    ["a dot between letters", "a.b"],
    ["a quote", "a'b"],
    ["a double quote", 'a"b'],
    ["an escape of the terminal", "a\u001b[31m"],
    ["an emoji", "a\u{1f600}"],
    ["a change of direction", "a\u202eb"],
    ["a blank of no width", "a\u200bb"],
    ["a digit of another script", "a\u0661"],
  ],
  // Another writing of an app's name.
  P7: [
    ["a capital, in an app's name", "Demo"],
    ["capitals", "DEMO"],
    ["a slash after an app's name", "demo/"],
    ["git's ending in capitals", "demo.GIT"],
    ["git's ending and a slash", "demo.git/"],
  ],
  P8: [
    ["31 characters", "x".repeat(31)],
    ["255 bytes", "x".repeat(255)],
    ["256 bytes", "x".repeat(256)],
    ["4096 bytes", "x".repeat(4096)],
  ],
} satisfies Record<string, [what: string, name: string][]>;

/** Names that would stand for something else on a server (threat P6). */
export const keptNames = [
  ...["www", "admin", "git", "default", "localhost", "api", "root", "nginx"],
  ...["app", "conf", "reeve", "uwsgi"],
];
