def write_report(found, records, out):
    (out/'report.pdf').write_bytes(b''); return out/'report.pdf'
