//! The scripts that make a shell ask at each tab, and the answers as each shell takes them.

/// A shell that can be made to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Shell {
    /// bash, 4 or newer.
    Bash,
    /// fish.
    Fish,
    /// zsh.
    Zsh,
}

impl Shell {
    /// The shell of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "bash" => Some(Self::Bash),
            "fish" => Some(Self::Fish),
            "zsh" => Some(Self::Zsh),
            _ => None,
        }
    }
}

/// The script for one command; `program` is the one that is asked.
pub(in super::super) fn script(shell: Shell, name: &str, program: &str) -> String {
    let form = match shell {
        Shell::Bash => BASH,
        Shell::Fish => FISH,
        Shell::Zsh => ZSH,
    };
    form.replace("@NAME@", name).replace("@PROGRAM@", &quoted(program))
}

/// In quotes that all three shells understand.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A word that ends in one of these goes on: no blank after it.
const BASH: &str = r#"# bash completion for @NAME@; made by `mn install-applets`.
_drover_complete() {
    local files
    COMPREPLY=()
    mapfile -t COMPREPLY < <(
        COMP_WORDBREAKS="$COMP_WORDBREAKS" @PROGRAM@ complete bash "$COMP_CWORD" -- "${COMP_WORDS[@]}" 2>/dev/null
        (( $? == 3 )) && printf '%s\n' $'\001files'
    )
    files=${#COMPREPLY[@]}
    if (( files > 0 )) && [[ ${COMPREPLY[files - 1]} == $'\001files' ]]; then
        unset 'COMPREPLY[files - 1]'
        compopt -o default 2>/dev/null
    fi
    if [[ ${COMPREPLY[0]-} == *[=.,] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}
complete -F _drover_complete @NAME@
"#;

const FISH: &str = r"# fish completion for @NAME@; made by `mn install-applets`.
function __drover_complete_@NAME@
    set -l words (commandline -opc) (commandline -ct)
    @PROGRAM@ complete fish (math (count $words) - 1) -- $words 2>/dev/null
    if test $status -eq 3
        __fish_complete_path (commandline -ct)
    end
end
complete -c @NAME@ -f -a '(__drover_complete_@NAME@)'
";

const ZSH: &str = r#"#compdef @NAME@
# zsh completion for @NAME@; made by `mn install-applets`.
_drover_complete_@NAME@() {
    local -a lines whole open
    local answer line
    answer=$(@PROGRAM@ complete zsh $(( CURRENT - 1 )) -- "${(@Q)words}" 2>/dev/null)
    local ended=$?
    lines=(${(f)answer})
    for line in $lines; do
        if [[ $line == *[=.,] ]]; then open+=($line); else whole+=($line); fi
    done
    (( $#whole )) && compadd -- $whole
    (( $#open )) && compadd -S '' -- $open
    (( ended == 3 )) && _files
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _drover_complete_@NAME@ "$@"
else
    compdef _drover_complete_@NAME@ @NAME@
fi
"#;

/// The words as a shell takes them, one a line.
pub(super) fn reply(shell: Shell, current: &str, breaks: &str, words: Vec<(String, String)>) -> String {
    let mut text = String::new();
    // bash replaces what stands behind the last character at which it splits words.
    let kept = match shell {
        Shell::Bash => current.rfind(|c| "=:@".contains(c) && breaks.contains(c)).map_or(0, |at| at + 1),
        Shell::Fish | Shell::Zsh => 0,
    };
    for (word, help) in words.into_iter().filter(|(word, _)| !word.chars().any(char::is_control)) {
        text.push_str(word.get(kept..).unwrap_or(&word));
        if shell == Shell::Fish && !help.is_empty() {
            text.push('\t');
            text.push_str(&help.replace(['\n', '\t'], " "));
        }
        text.push('\n');
    }
    text
}
