"""The style sheet of the page, with light and dark colours."""

# Light and dark values of one name; pictures are drawn in the light ones, which become names in the page.
LIGHT = {
    "ink": "#1f2630", "faint": "#66707d", "line": "#dde2e8", "paper": "#ffffff",
    "s0": "#2a6db0", "s1": "#c9622a", "s2": "#3b8a5a", "s3": "#8f4a97",
    "s4": "#a87b1f", "s5": "#2f8f96", "s6": "#bd4a60", "s7": "#75685c",
}  # fmt: skip
DARK = {
    "ink": "#e4e8ee", "faint": "#98a2b0", "line": "#333b47", "paper": "#161b22",
    "s0": "#6cabe6", "s1": "#ee9463", "s2": "#6fc08d", "s3": "#c48acb",
    "s4": "#d6ac55", "s5": "#63c2c9", "s6": "#e8818f", "s7": "#b3a597",
}  # fmt: skip
SERIES = tuple(LIGHT[f"s{i}"] for i in range(8))


def _variables(colors: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colors.items())


CSS = (
    f":root{{color-scheme:light dark;--back:#f5f6f8;{_variables(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{--back:#0e1217;{_variables(DARK)}}}}}"
    """
*{box-sizing:border-box}
html{scroll-padding-top:3.4rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif}
header,main,footer{max-width:70rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.6rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .2rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:0 0 .6rem}h3{font-size:1rem;margin:1rem 0 0}
.part{border-left:3px solid var(--s4);padding:.2rem .8rem}
p{margin:.5rem 0;max-width:46rem;overflow-wrap:anywhere}
.faint,figcaption,footer{color:var(--faint);font-size:.875rem}
nav{position:sticky;top:0;z-index:1;background:var(--back);border-bottom:1px solid var(--line);margin-top:1rem}
nav ul{max-width:70rem;margin:0 auto;padding:0 1rem;display:flex;gap:0 1.1rem;list-style:none;overflow-x:auto;
scrollbar-width:none}@media (min-width:60rem){nav ul{flex-wrap:wrap}}
nav a{display:block;padding:.7rem 0;color:var(--faint);text-decoration:none;white-space:nowrap;font-size:.925rem}
nav a:hover,nav a:focus-visible{color:var(--ink)}
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:1.1rem 1.2rem 1.2rem;
margin:1rem 0;min-width:0}
.cards{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0 0;padding:0}
.cards div{flex:1 1 9.5rem;background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:.7rem .9rem;
min-width:0}
.cards dt{color:var(--faint);font-size:.8rem;margin:0}
.cards dd{margin:0;font-size:1.3rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere;line-height:1.35}
.cards small{display:block;font-size:.8rem;color:var(--faint)}
.table{min-width:0}
.below{display:flex;flex-wrap:wrap;align-items:baseline;gap:.1rem 1rem;margin-top:.35rem;color:var(--faint);
font-size:.875rem}
.below p{margin:0;flex:1 1 16rem;max-width:none}.scrolls{white-space:nowrap;color:var(--s0)}
button,select,input{font:inherit;color:inherit}
.csv,.all{background:none;border:0;padding:0;cursor:pointer;white-space:nowrap;text-decoration:underline;
text-underline-offset:.2em;font-size:.875rem}
.box{overflow:auto;margin:.7rem 0 0;max-height:30rem;border:1px solid var(--line);border-radius:8px;max-width:100%}
.table>.box{background:linear-gradient(to left,var(--paper) 40%,transparent) right/3rem 100% no-repeat local,
linear-gradient(to top,var(--paper) 40%,transparent) 0 100%/100% 3rem no-repeat local,
linear-gradient(to left,var(--line),transparent) right/1rem 100% no-repeat scroll,
linear-gradient(to top,var(--line),transparent) 0 100%/100% 1rem no-repeat scroll}
.filter{display:flex;flex-wrap:wrap;align-items:center;gap:.4rem 1rem;margin:.8rem 0 0;font-size:.9rem}
.filter label{color:var(--faint)}
.filter input,.filter select{background:var(--back);color:var(--ink);border:1px solid var(--line);border-radius:6px;
padding:.25rem .5rem;max-width:12rem}
.filter output{color:var(--faint)}
[hidden]{display:none!important}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.42rem .7rem;text-align:left;font-weight:400;white-space:nowrap;vertical-align:top}
tbody tr+tr>*{border-top:1px solid var(--line)}
thead th{padding:0;position:sticky;top:0;background:var(--paper);box-shadow:inset 0 -1px var(--line)}
tbody th,thead th:first-child{position:sticky;left:0;background:var(--paper)}thead th:first-child{z-index:1}
thead button{all:unset;box-sizing:border-box;width:100%;padding:.45rem .7rem;cursor:pointer;color:var(--faint);
font-size:.85rem;white-space:nowrap}
button:focus-visible,.box:focus-visible,a:focus-visible,summary:focus-visible,input:focus-visible,
select:focus-visible{outline:2px solid var(--s0);outline-offset:-2px}
thead button::after{content:"";display:inline-block;width:.9em;text-align:right}
[aria-sort=ascending] button::after{content:"↑"}[aria-sort=descending] button::after{content:"↓"}
[aria-sort] button{color:var(--ink)}
tbody th{font-weight:600}tbody th a{color:inherit;text-decoration:underline;text-decoration-color:var(--faint);
text-underline-offset:.2em}
.number{text-align:right}thead th.number button{text-align:right}
.wide{white-space:normal;min-width:8.5rem;overflow-wrap:anywhere}.stack .wide:last-child{min-width:19rem;width:50%}
.group{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1rem 1.6rem;margin:.7rem 0;
align-items:start}
.group>.table:last-child:nth-child(odd){grid-column:1/-1}.group .table>.box{margin-top:0}
.group>div>.table+.table{margin-top:1rem}
.group thead button{white-space:normal;overflow-wrap:normal}
.group thead button,.group td,.group tbody th{padding-inline:.5rem}
.group tbody th{white-space:normal;min-width:6rem;overflow-wrap:break-word}
.whole{max-height:60rem}
figure{margin:0;min-width:0;max-width:31rem}
.large{max-width:none;grid-column:1/-1;overflow-x:auto}.large svg{min-width:44rem}
figure svg{display:block;width:100%;height:auto}
figure svg text{font-family:inherit!important}
figcaption{margin-top:.2rem}
details{border-top:1px solid var(--line);padding:.5rem 0}details:last-of-type{border-bottom:1px solid var(--line)}
summary{cursor:pointer;font-weight:600}summary small{font-weight:400;color:var(--faint);font-size:.875rem;
margin-left:.6rem}
.thumb{display:block;border-radius:3px}
.sheet{display:flex;flex-wrap:wrap;gap:.8rem;margin:.7rem 0 1.2rem}
.sheet figure{width:6.4rem;font-size:.8rem;line-height:1.3}.sheet .pair{width:13rem}
.sheet .pair div{display:flex;gap:.25rem}
.sheet figcaption{font-size:inherit;overflow-wrap:anywhere}.sheet figcaption span{display:block}
.fault{border-left:3px solid var(--s6);padding:.3rem .8rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.2rem;margin:.7rem 0;font-size:.925rem}
dl dt{color:var(--faint)}dl dd{margin:0;overflow-wrap:anywhere;min-width:0}
dl.cards dt,dl.cards dd{display:block}
pre{padding:.7rem .9rem;font-size:.85rem;line-height:1.5}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{padding-bottom:2rem}
@media (max-width:34rem){section{padding:.9rem .8rem;border-radius:8px}dl:not(.cards){grid-template-columns:1fr;gap:0}
dl:not(.cards) dd{margin-bottom:.4rem}h1{font-size:1.35rem}}
@media (max-width:34rem){.whole{max-height:none}
tbody th{white-space:normal;overflow-wrap:break-word;min-width:7rem;max-width:9rem}
.stack tbody th{max-width:none;position:static}}
@media (max-width:34rem){.stack,.stack tbody,.stack tr,.stack th,.stack td{display:block;white-space:normal;
text-align:left;min-width:0;width:auto}.stack thead{display:none}.stack tbody tr+tr>*{border-top:0}
.stack tr{padding:.6rem .7rem}.stack tr+tr{border-top:1px solid var(--line)}.stack tr>*{padding:.05rem 0}
.stack td::before{content:attr(data-name) " ";color:var(--faint)}.stack .wide:last-child{min-width:0;width:auto}}
@media print{nav,.filter,.csv,.scrolls{display:none!important}figure,tr{break-inside:avoid}section{border:0;padding:0}
.box{max-height:none;overflow:visible}table{font-size:.75rem}th,td{padding:.2rem .4rem;white-space:normal}}
"""
)
