//! What a shell offers at a tab: the real shell, with the script that `install-applets` wrote where
//! that shell looks for it.

use std::path::Path;

use super::{Said, Site, said};

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shell {
    Bash,
    Fish,
    Zsh,
}

impl Shell {
    /// All for which there are scripts.
    pub(super) const ALL: [Self; 3] = [Self::Bash, Self::Fish, Self::Zsh];

    /// What it offers at the end of a line, sorted. Words are between single blanks.
    pub(super) fn completed(self, site: &Site, line: &str) -> Vec<String> {
        let said = match self {
            Self::Bash => bash(site, line),
            Self::Fish => fish(site, line),
            Self::Zsh => zsh(site, line),
        };
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{self:?}: {line}: {}", said.out);
        // fish puts what a word means behind a tab.
        let word = |line: &str| line.split('\t').next().unwrap_or_default().trim_end_matches('\r').to_owned();
        let mut words: Vec<String> = said.out.lines().map(word).collect();
        words.sort();
        words
    }
}

/// The real function, called with the words as bash splits them: at blanks and at `=`.
fn bash(site: &Site, line: &str) -> Said {
    let words: Vec<String> = line.split(' ').flat_map(split).collect();
    let name = &words[0];
    let script = site.folder.path().join("share/bash-completion/completions").join(name);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!(
        "set -u; source '{}'; spec=$(complete -p {name}); [[ $spec == *'-F '* ]] || exit 9; \
         COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_TYPE=9; COMP_KEY=9; \
         f=${{spec#*-F }}; ${{f%% *}} {name} '{}' '' || exit 8; \
         (( ${{#COMPREPLY[@]}} )) && printf '%s\\n' \"${{COMPREPLY[@]}}\"; exit 0",
        script.display(),
        quoted.join(" "),
        words.len() - 1,
        words[words.len() - 1],
    );
    said(site.command(Path::new("bash")).args(["--norc", "--noprofile", "-c", &line]))
}

fn split(word: &str) -> Vec<String> {
    match word.split_once('=') {
        Some((before, after)) => vec![before.to_owned(), "=".to_owned(), after.to_owned()],
        None => vec![word.to_owned()],
    }
}

/// fish is asked what it would offer; it finds the script by itself, in its path of them.
fn fish(site: &Site, line: &str) -> Said {
    let scripts = site.folder.path().join("share/fish/vendor_completions.d");
    let ask = "set fish_complete_path $argv[1]; complete -C $argv[2]; exit 0";
    let mut fish = site.command(Path::new("fish"));
    fish.env("HOME", site.folder.path()).env("TERM", "dumb");
    said(fish.args(["--no-config", "-c", ask, "--"]).arg(scripts).arg(line))
}

/// zsh completes in an interactive shell alone: one on a terminal of its own gets the line and a tab.
/// `compadd`, which each function calls with what it offers, notes what of it fits.
fn zsh(site: &Site, line: &str) -> Said {
    let folder = site.folder.path().join("zsh");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("inner"), INNER).unwrap();
    std::fs::write(folder.join("outer"), OUTER).unwrap();
    let mut zsh = site.command(Path::new("zsh"));
    zsh.env("HOME", site.folder.path()).env("TERM", "dumb");
    let functions = site.folder.path().join("share/zsh/site-functions");
    said(zsh.arg("-f").arg(folder.join("outer")).arg(&folder).arg(functions).arg(line))
}

/// `outer FOLDER FUNCTIONS LINE`.
const OUTER: &str = r#"
zmodload zsh/zpty
export FOUND=$1/found FUNCTIONS=$2
: > $FOUND
await() { repeat 600; do grep -q "^$1\$" $FOUND && return; sleep 0.05; done; print "no $1: $(<$FOUND)" >&2; exit 7 }
zpty inner zsh -f -i
zpty -w inner "source $1/inner"
await READY
zpty -w -n inner "$3"$'\t'
await END
zpty -d inner
grep -v '^READY$\|^END$' $FOUND
exit 0
"#;

const INNER: &str = r#"
PROMPT= RPROMPT=
fpath=($FUNCTIONS $fpath)
autoload -U compinit
compinit -D -u
compadd() {
    local -a fitting
    builtin compadd -A fitting "$@"
    (( $#fitting )) && print -rl -- $fitting >> $FOUND
    builtin compadd "$@"
}
ended() { print END >> $FOUND }
comppostfuncs=(ended)
bindkey '^I' complete-word
print READY >> $FOUND
"#;
