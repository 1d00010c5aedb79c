"""Attacks by name: what a student's folder may be called."""

NAMES = {
    "an option": "-rf",
    "a long option": "--help",
    "a formula": "=cmd|'calc'!A1",
    "a formula with a sign": "+1+1",
    "a formula with an at": "@SUM(A1)",
    "two rows": "eve\nz-honest,00_tiny,99",
    "columns": 'a,b;c\t"d"',
    "markup of the table": "[red]eve[bold]",
    "markup of a page": "<script>alert(1)<script>",
    "control characters": "\x1b[2J\x1b]0;owned\x07\r\x08eve",
    "a field of a format": "{student_id}{0}%s%(x)d",
    "a shell's": "$(touch planted) `id`; rm -rf ~ & |",
    "quotes": "eve'; drop table student; --\"\\",
    "two dots, and more": "..eve..",
    "the other way round": "\u202eeve\u2066\u200b",
    "a name like another's": "z-h\u043enest",
    "spaces around": " eve ",
    "half a character": "eve\udcff",
    "as long as can be": "e" * 255,
    "a device": "CON",
}
