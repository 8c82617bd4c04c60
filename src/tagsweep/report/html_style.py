"""The style sheet of the HTML report: light, dark and print, wide and narrow, without any outside resource."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--paper:#fbfbfa;--card:#fff;--ink:#1c1f23;--soft:#5c646e;--line:#e3e5e8;--code:#f1f2f4;
--good:#1a7f4b;--good-bg:#e5f4ec;--warn:#8a5a00;--warn-bg:#fdf1d8;--bad:#b3261e;--bad-bg:#fce9e7;--link:#0b57d0;
--c0:#3b6fd4;--c1:#d9822b;--c2:#2f9e79;--c3:#a04fc4;--c4:#c94f6d;--c5:#7a828c}
@media(prefers-color-scheme:dark){:root{--paper:#14161a;--card:#1c1f25;--ink:#e7e9ec;--soft:#a2aab4;--line:#31363e;
--code:#272b32;--good:#6fd09b;--good-bg:#16321f;--warn:#f0bd5c;--warn-bg:#372a0d;--bad:#ff8f86;--bad-bg:#3d1a17;
--link:#8ab4f8;--c0:#6c9bf2;--c1:#eba45a;--c2:#5bc4a0;--c3:#c98be6;--c4:#ea8aa2;--c5:#9aa3ae}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif}
main{max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.015em}
h2{font-size:1.3rem;line-height:1.3;margin:3rem 0 .75rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h3{font-size:1rem;margin:1.75rem 0 .5rem}
p{margin:.5rem 0}
.sub,.note{color:var(--soft)}
.note{font-size:.9rem}
code{font:.88em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;background:var(--code);
padding:.1em .35em;border-radius:4px;overflow-wrap:anywhere}
pre{background:var(--code);border-radius:8px;padding:.75rem 1rem;overflow-x:auto;margin:.5rem 0}
pre code{background:none;padding:0;overflow-wrap:normal}
.badge{display:inline-block;border-radius:99px;padding:.1rem .7rem;font-size:.85rem;font-weight:600;white-space:nowrap}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.badge.good{background:var(--good-bg)}.badge.warn{background:var(--warn-bg)}.badge.bad{background:var(--bad-bg)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:.9rem;margin:1.75rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1rem 1.15rem}
.tile dt{color:var(--soft);font-size:.85rem}
.tile dd{margin:0}
.tile .big{font-size:1.75rem;font-weight:650;line-height:1.25;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile .small{color:var(--soft);font-size:.85rem}
.alert{border-left:4px solid var(--bad);background:var(--bad-bg);border-radius:0 10px 10px 0;padding:.8rem 1.1rem;
margin:1rem 0;overflow-wrap:anywhere}
.alert.warn{border-color:var(--warn);background:var(--warn-bg);color:var(--ink)}
.alert h3{margin:0 0 .3rem}
.alert ul{margin:.3rem 0;padding-left:1.2rem}
.alert details{margin:.6rem 0 .3rem}.alert details ul{padding:.2rem 1rem .8rem 2rem;margin:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.45rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-size:.82rem;font-weight:600;color:var(--soft);white-space:nowrap}
td.n,th.n{text-align:right}
tbody th{color:var(--ink);font-size:1rem;white-space:normal}
tfoot td,tfoot th{border-bottom:0;font-weight:600;color:var(--ink);font-size:1rem}
details{border:1px solid var(--line);border-radius:10px;background:var(--card);margin:.55rem 0}
summary{cursor:pointer;padding:.65rem 1rem;display:flex;gap:.75rem;align-items:baseline;list-style:none}
summary::-webkit-details-marker{display:none}
summary::after{content:"";flex:none;margin-left:auto;width:.5em;height:.5em;border:solid var(--soft);
border-width:0 2px 2px 0;transform:rotate(45deg) translateY(-.25em)}
details[open]>summary::after{transform:rotate(225deg)}
summary:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:10px}
summary .n{flex:none;min-width:3.2rem;text-align:right;font-weight:650;font-variant-numeric:tabular-nums}
summary .v{flex:none;width:6.4rem;font-weight:600}
summary .w{overflow-wrap:anywhere}
.tags{margin:0;padding:.25rem 1rem 1rem;list-style:none;columns:27rem 2;column-gap:2rem;
font-size:.9rem}
.list{max-height:32rem;overflow:auto;border-top:1px solid var(--line);padding-top:.4rem}
.tags li{break-inside:avoid;padding:.15rem 0}
.tags.said{columns:1}.tags.said code{white-space:pre-wrap}
.tags .why{color:var(--soft);font-size:.88rem;display:block}
figure{margin:1rem 0;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.2rem}
figcaption{color:var(--soft);font-size:.88rem;margin-top:.6rem}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:0 0 .7rem;padding:0;list-style:none;font-size:.9rem}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:3px;margin-right:.45em;vertical-align:-.06em}
.bar{display:flex;height:1.6rem;border-radius:7px;overflow:hidden;background:var(--code)}
.bar span{min-width:3px}
.bar span+span{border-left:2px solid var(--card)}
.rows{display:grid;grid-template-columns:max-content 1fr;gap:.55rem .9rem;align-items:center}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.2rem;margin:.5rem 0}
.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:3.5rem;padding-top:1.2rem;border-top:1px solid var(--line);color:var(--soft);font-size:.88rem}
@media(max-width:40rem){main{padding-top:1.5rem}h1{font-size:1.55rem}.tiles{grid-template-columns:1fr 1fr;gap:.6rem}
.tile{padding:.8rem .9rem}.tile .big{font-size:1.4rem}summary{flex-wrap:wrap;gap:.15rem .6rem;position:relative;
padding-right:2.2rem}summary::after{position:absolute;right:1rem;top:1.1rem}summary .n{min-width:0}
summary .v{width:auto}summary .w{flex-basis:100%}.facts{grid-template-columns:1fr}.facts dd{margin-bottom:.4rem}
.tags{columns:1}
th,td{padding:.4rem .45rem}svg text{font-size:20px}svg .minor{display:none}}
@media print{:root{color-scheme:light;--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--code:#f3f3f3}
main{max-width:none;padding:0}figure,.tile,.alert,tr{break-inside:avoid}h2,h3{break-after:avoid}
summary::after{display:none}.list{max-height:none;overflow:visible}*{print-color-adjust:exact}}
"""
