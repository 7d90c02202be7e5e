"""The whole pipeline on rendered streets, with the networks that ship, on the CPU.

    python scripts/demo.py

Prints what it found, saves pictures in demo/, and opens the explorer where there is a display; args.explore=False
keeps it closed.
"""

if __name__ == "__main__":  # imports below it: worker processes read this file again and shall stay light
    from oodretrieval.demo_settings import DemoSettings
    from oodretrieval.experiment.script import run_script
    from oodretrieval.experiment.settings import CommonSettings

    run_script(
        lambda configuration: DemoSettings(
            net=configuration.defaults["EMBEDDING"],  # embedding network
            common=CommonSettings(num_cores=2, gpu=-1),  # on the CPU
        ),
        "oodretrieval.demo:demo",
    )
